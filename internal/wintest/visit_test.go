package wintest_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/deploy"
	"muster/internal/remote"
	"muster/internal/visit"
)

var sweep = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestWindows is everything that is tested under Wine.
func TestWindows(t *testing.T) {
	w := newWindows(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *windows)
	}{
		{"Visits", testVisits},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, w) })
	}
}

// clients are those that are built into the server.
func clients(t *testing.T) *deploy.Clients {
	t.Helper()
	clients, err := deploy.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

// visitHost returns the host as a visit has it, with deadlines that no test should reach.
func (h *host) visitHost(t *testing.T) visit.Host {
	t.Helper()
	key, err := remote.LoadKey(h.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	known, err := remote.LoadHostKeys(h.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	const d = time.Minute
	return visit.Host{
		Name: "win1", Address: "127.0.0.1", Port: h.Port, User: h.User, Signers: []ssh.Signer{key}, HostKeys: known,
		Transfer: visit.Stdout,
		Deadlines: visit.Deadlines{
			Dial: d, Handshake: d, Authentication: d, Platform: d, Deploy: d, Run: d, Receive: d, Visit: 2 * d,
		},
	}
}

func wantReport(t *testing.T, v *visit.Visit) {
	t.Helper()
	if v.Failure != nil {
		t.Fatalf("%v\nadvice: %s\nlog: %s", v.Failure, v.Failure.Help(), v.Log)
	}
}

func testVisits(t *testing.T, w *windows) {
	for _, shell := range []string{"cmd", "powershell"} {
		for _, transfer := range []visit.Transfer{visit.Stdout, visit.File} {
			t.Run(shell+" "+string(transfer), func(t *testing.T) {
				h := w.newHost(t, "-shell", shell)
				visited := h.visitHost(t)
				visited.Transfer = transfer
				visitor := visit.New(visit.Options{Clients: clients(t)})
				first := visitor.Visit(t.Context(), visited, sweep)
				wantReport(t, first)
				first.Acknowledge()
				second := visitor.Visit(t.Context(), visited, sweep)
				wantReport(t, second)
				t.Log(first.Took, first.Stages, second.Took, second.Stages)
				t.Log(first.Log)
				if !first.Uploaded || second.Uploaded {
					t.Errorf("uploaded: %v, %v", first.Uploaded, second.Uploaded)
				}
				if left := h.files(t); len(left) != 1 || !strings.HasPrefix(left[0], "muster-client-") {
					t.Errorf("the client's folder holds %q", left)
				}
			})
		}
	}
}
