package jump

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"muster/internal/failure"
)

func TestWhatAJumpHostSaysIsCovered(t *testing.T) {
	const password = "right \"horse\""
	for name, said := range map[string]string{
		"as it is":           "no " + password + " today",
		"quoted":             fmt.Sprintf("no %q today", password),
		"across the end":     strings.Repeat("x", maxSaid-5) + password,
		"long":               strings.Repeat("x", 100*maxSaid),
		"a rune at the end":  strings.Repeat("x", maxSaid-1) + "ü",
		"of nobody's making": "no horse today",
	} {
		found := covered(&failure.Error{Kind: failure.Disconnected, Err: errors.New(said), Advice: "not " + password}, password)
		for _, text := range []string{found.Err.Error(), found.Advice} {
			if strings.Contains(text, "right") || len(text) > maxSaid+len("…") || !utf8.ValidString(text) {
				t.Errorf("%s: %d bytes: %.100s", name, len(text), text)
			}
		}
		if found.Kind != failure.Disconnected {
			t.Errorf("%s: the kind is %s", name, found.Kind)
		}
	}
	short := &failure.Error{Err: errors.New("all that it said")}
	if covered(short, password) != short || covered(short, "") != short {
		t.Error("a failure with nothing to cover is another")
	}
	long := &failure.Error{Err: errors.New(strings.Repeat("x", 100*maxSaid))}
	if got := covered(long, ""); len(got.Err.Error()) > maxSaid+len("…") {
		t.Errorf("without a password it has %d bytes", len(got.Err.Error()))
	}
}
