package logs_test

import (
	"slices"
	"strings"
	"testing"

	"muster/internal/client/logs"
)

func TestLosses(t *testing.T) {
	for _, want := range [][]logs.Loss{nil, {{1, 1}}, {{1<<63 - 1, 7}, {2, 1<<63 - 1}}} {
		var words []string
		for _, l := range want {
			words = append(words, strings.Fields(l.String())...)
		}
		if got, ok := logs.ParseLosses(words); !ok || !slices.Equal(got, want) {
			t.Errorf("%v is read as %v, %v", want, got, ok)
		}
	}
	for _, text := range []string{"1", "1 2 3", "0 1", "1 0", "-1 1", "x 1", "1 x", "1 2 3 9223372036854775808"} {
		if got, ok := logs.ParseLosses(strings.Fields(text)); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}
