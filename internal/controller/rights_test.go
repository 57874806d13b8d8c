package controller

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"muster/internal/config"
)

// What a host's configuration says of the client's rights is what its visit is told.
func TestRightsReachTheVisit(t *testing.T) {
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []config.Host{
		{Name: "a", Client: "/opt/client", Transfer: "stdout"},
		{Name: "b", Sudo: true, Transfer: "stdout"},
		{Name: "c", Transfer: "file"},
	} {
		c.KnownHosts = []string{known}
		host, failed := newHosts(nil, nil, slog.New(slog.DiscardHandler)).pass().resolve(&c)
		if failed != nil || host.Client != c.Client || host.Sudo != c.Sudo || string(host.Transfer) != c.Transfer {
			t.Errorf("%+v became %+v, %v", c, host, failed)
		}
	}
}
