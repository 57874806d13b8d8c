package client

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckFile(t *testing.T) {
	for _, name := range []string{"", "report", "report-1.bin", "a_b.C.7", strings.Repeat("a", 100)} {
		if err := checkFile(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		".", "..", "../report", "a/b", "/etc/passwd", `a\b`, `C:\x`, "C:x", "x:stream", ".hidden", "a..b", "end.", "-rf",
		"a b", "a\x00b", "a\nb", "ü", "a*b", "~", "$HOME",
	} {
		if err := checkFile(name); !errors.Is(err, ErrRequest) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}
