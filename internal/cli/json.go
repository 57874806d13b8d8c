package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// newEncoder returns an encoder of JSON that is safe to show: whatever is not printable is an escape, which means the same
// to whoever reads the JSON.
func newEncoder(w io.Writer) *json.Encoder {
	encoder := json.NewEncoder(visibleJSON{w})
	encoder.SetEscapeHTML(false)
	return encoder
}

// visibleJSON escapes in JSON what is written as it is there, though terminals obey it: control characters from U+007F on, and
// those that turn the direction of writing (RFC 8259, section 7). An encoder writes a value at once, so no character is cut.
type visibleJSON struct{ io.Writer }

func (v visibleJSON) Write(text []byte) (int, error) {
	hidden := func(r rune) bool { return r >= 0x7F && !unicode.IsPrint(r) }
	if bytes.IndexFunc(text, hidden) < 0 {
		return v.Writer.Write(text)
	}
	var b []byte
	for _, r := range string(text) {
		switch {
		case !hidden(r):
			b = utf8.AppendRune(b, r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	if _, err := v.Writer.Write(b); err != nil {
		return 0, err
	}
	return len(text), nil
}
