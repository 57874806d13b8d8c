package deploy_test

import (
	"os"
	"path/filepath"
	"testing"

	"muster/internal/deploy"
	"muster/internal/failure"
)

// TestGone asks for a client that was installed, while it is there and afterwards.
func TestGone(t *testing.T) {
	h, folder := newWindowsHost(t, cmdExe)
	clients := windowsClients(t, "MZ")
	installed, err := clients.Install(t.Context(), h.conn, windowsPlatform, "")
	if err != nil {
		t.Fatal(err)
	}
	if failed := clients.Gone(t.Context(), h.conn, installed); failed != nil {
		t.Errorf("a client that is there: %v", failed)
	}
	program := filepath.Join(folder, "AppData/Local/muster", nameOf("MZ")+".exe")
	if err := os.WriteFile(program, []byte("XY"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, asError(clients.Gone(t.Context(), h.conn, installed)), failure.Deploy, failure.Vanished, "was changed")
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, asError(clients.Gone(t.Context(), h.conn, installed)), failure.Deploy, failure.Vanished, "disappeared")
	_ = h.conn.Close()
	if failed := clients.Gone(t.Context(), h.conn, installed); failed != nil {
		t.Errorf("nobody can tell, and it says %v", failed)
	}
	if failed := clients.Gone(t.Context(), h.conn, deploy.Installed{}); failed != nil {
		t.Errorf("nothing was installed, and it says %v", failed)
	}
}

func asError(failed *failure.Error) error {
	if failed == nil {
		return nil
	}
	return failed
}
