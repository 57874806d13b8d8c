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
