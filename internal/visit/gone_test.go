package visit_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"muster/internal/failure"
	"muster/internal/sshtest"
)

// disappearing is a client that is taken away before it does anything, as by a virus scanner, and a shell that says so.
func disappearing(t *testing.T) sshtest.Handler {
	return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		if err := os.RemoveAll(filepath.Join(s.Home, ".cache/muster")); err != nil {
			t.Error(err)
		}
		_, _ = s.Stderr.Write([]byte("sh: not found\n"))
		return sshtest.Exit{Status: 127}
	}
}

// TestTheClientDisappearsBeforeItRuns has one that was there when it was deployed, a moment ago.
func TestTheClientDisappearsBeforeItRuns(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(disappearing(t))
	v := f.visitor().Visit(t.Context(), f.host(t), sweep)
	wantFailure(t, v, failure.Run, failure.Vanished, "disappeared", "allow the program with the SHA-256")
	f.wantNothingLeft(t)
}

// TestTheClientDisappearsAgain has one that is remembered, is gone, is deployed again, and goes again.
func TestTheClientDisappearsAgain(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(reporting(nil))
	visitor := f.visitor()
	wantReport(t, visitor.Visit(t.Context(), f.host(t), sweep))
	f.becomes(disappearing(t))
	v := visitor.Visit(t.Context(), f.host(t), sweep)
	wantFailure(t, v, failure.Run, failure.Vanished, "disappeared")
	if !v.Uploaded {
		t.Error("it was not deployed again")
	}
	f.wantNothingLeft(t)
}

// TestTheClientIsThereAllTheSame has a host that does not find, or open, a client that it has just checked, but does a moment
// later. One that never does is not tried for ever.
func TestTheClientIsThereAllTheSame(t *testing.T) {
	for name, test := range map[string]struct {
		refusals int
		words    string
		status   uint32
		ran      string
	}{
		"of a shell": {1, "sh: 1: not found", 127, "uname probe client client"},
		"of cmd.exe": {1, "Can't recognize it as an internal or external command, or batch script.", 9009, "uname probe client client"},
		"for ever":   {9, "sh: 1: not found", 127, "uname probe client client"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, nil)
			refusals := 0
			f.becomes(func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
				if refusals++; refusals <= test.refusals {
					_, _ = s.Stderr.Write([]byte(test.words + "\n"))
					return sshtest.Exit{Status: test.status}
				}
				return reporting(nil)(ctx, s)
			})
			v := f.visitor().Visit(t.Context(), f.host(t), sweep)
			if test.refusals == 1 {
				wantReport(t, v)
			} else {
				wantFailure(t, v, failure.Run, failure.ClientFailed, "exit status 127", "not found")
			}
			if got := commandsOf(f.ran()); got != test.ran {
				t.Errorf("it ran %q", got)
			}
			f.wantNothingLeft(t)
		})
	}
}
