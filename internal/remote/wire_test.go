package remote

import (
	"strings"
	"testing"
)

func TestGreeting(t *testing.T) {
	for _, c := range []struct {
		sent, first string
		isSSH       bool
	}{
		{"", "", false},
		{"SSH-2.0-x\r\n", "SSH-", true},
		{"SSH", "SSH", false},
		{"welcome\r\nSSH-2.0-x\r\n", "welcome", true},
		{"welcome\n\nSSH-2.0-x\n", "welcome", true},
		{"no SSH-2.0\r\nxSSH-\nSS\nH-\n", "no SSH-2.0", false},
		{"carriage\rSSH-2.0-x", "carriage\rSSH-2.0-x", false},
		{strings.Repeat("x", 300) + "\nSSH-2", strings.Repeat("x", 80), true},
		{"\nhello", "", false},
	} {
		for _, size := range []int{1, 3, 1000} { // however it is cut into pieces
			w := newWire(nil)
			for rest := c.sent; rest != ""; rest = rest[min(size, len(rest)):] {
				if err := w.admit([]byte(rest[:min(size, len(rest))])); err != nil {
					t.Fatal(err)
				}
			}
			if first, isSSH := w.greeted(); first != c.first || isSSH != c.isSSH {
				t.Errorf("%q in pieces of %d: got %q, %v", c.sent, size, first, isSSH)
			}
		}
	}
}
