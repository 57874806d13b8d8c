package cli

import (
	"bytes"
	"encoding/json"
	"testing"
)

// What is printed as JSON means what it did, and commands no terminal.
func TestJSONIsVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain <&> änn 😀":       `"plain <&> änn 😀"`,
		"\x1b[31m\a\n":          `"\u001b[31m\u0007\n"`,
		"a\u009b31m\x7fb":       `"a\u009b31m\u007fb"`,
		"a\u202egnp.exe":        `"a\u202egnp.exe"`,
		"a\u2066b\u200bc\ufeff": `"a\u2066b\u200bc\ufeff"`,
		"a\U000e0041b":          `"a\udb40\udc41b"`,
		"\xff":                  `"\ufffd"`,
	} {
		var b bytes.Buffer
		if err := newEncoder(&b).Encode(text); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != want+"\n" {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
		var back string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || back != text && text != "\xff" {
			t.Errorf("%q comes back as %q (%v)", text, back, err)
		}
	}
}
