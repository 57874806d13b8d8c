package remote_test

import (
	"os/exec"
	"testing"

	"muster/internal/remote"
)

// Each shell that is on this machine must read a quoted word as it was.
func TestQuote(t *testing.T) {
	words := map[string]bool{ // which need no quotes
		"/home/u/.cache/muster": true, "u@h:22,x+y": true, "": false, "/a b": false, "/it's": false, `/back\\slash\`: false,
		"/wow!!": false, "/$HOME `id` $(id)": false, `/"quoted"`: false, "/a;b&c|d>e<f": false, "/*?[x]{y}~": false,
		"~/x": false, "/grüße": false, "/-n": true, "/%d": false, "=ls": false,
	}
	for word, plain := range words {
		quoted := remote.Quote(word)
		if plain != (quoted == word) {
			t.Errorf("%s is quoted as %s", word, quoted)
		}
		for _, shell := range []string{"sh", "bash", "zsh", "tcsh", "csh", "fish", "busybox"} {
			program, err := exec.LookPath(shell)
			if err != nil {
				continue
			}
			arguments := []string{"-c", "printf %s " + quoted}
			if shell == "busybox" {
				arguments = append([]string{"sh"}, arguments...)
			}
			got, err := exec.Command(program, arguments...).Output()
			if err != nil || string(got) != word {
				t.Errorf("%s reads %s as %q, %v; want %q", shell, quoted, got, err, word)
			}
		}
	}
	if got, want := remote.Quote(`/it's a\b!`), `'/it'\''s a'\\'b'\!''`; got != want {
		t.Errorf("got %s, want %s, which csh and fish read too", got, want)
	}
}
