package controller

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/queue"
	"muster/internal/testserver"
)

// What the configuration says of a cluster arrives there.
func TestOpenQueueInACluster(t *testing.T) {
	n := testserver.StartNATS(t, 1)
	folder := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	password := write("password", n.Password)
	load := func(url, ca string) *config.Config {
		t.Helper()
		c, err := config.Load(write("muster.xml", `<muster xmlns="urn:muster:config:1"><server data="data"/><queue url="`+url+
			`" username="user3" password="file:`+password+`" ca="`+ca+`" replicas="1" size="64MiB"/></muster>`))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	tls := n.URLs("tls")[0]
	for _, url := range []string{tls, strings.Replace(tls, "tls", "nats", 1)} {
		q, err := OpenQueue(t.Context(), load(url, n.CA), slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		err = q.Put(t.Context(), queue.Entry{Kind: "visit", ID: "1", Data: []byte("x")})
		if err := errors.Join(err, q.Close()); err != nil {
			t.Fatalf("%s: %v", url, err)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "data", "queue")); err == nil {
		t.Error("there is a queue in the data directory, too")
	}
	_, err := OpenQueue(t.Context(), load(tls, ""), slog.New(slog.DiscardHandler), time.Now)
	if !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an authority that the system does not know: %v", err)
	}
}
