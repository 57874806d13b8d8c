package queue_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/queue"
	"muster/internal/testserver"
)

// A check looks and makes nothing, before there is a queue, beside one that is open, and after it.
func TestCheck(t *testing.T) {
	o := options(t)
	o.Folder = filepath.Join(filepath.Dir(o.Folder), "not", "yet", "queue")
	if where, err := queue.Check(t.Context(), o); err != nil || !strings.Contains(where, o.Folder) || !strings.Contains(where, "MiB free") {
		t.Errorf("before: %q, %v", where, err)
	}
	if _, err := os.Stat(filepath.Dir(o.Folder)); err == nil {
		t.Error("a folder was made")
	}
	q := open(t, o)
	if _, err := queue.Check(t.Context(), o); err != nil {
		t.Errorf("beside an open queue: %v", err)
	}
	if err := q.Put(t.Context(), queue.Entry{Kind: "visit", ID: "a", Data: []byte("x")}); err != nil {
		t.Errorf("after the check: %v", err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}

	full := o
	full.FreeSpace = func(string) (uint64, error) { return 1 << 20, nil }
	if _, err := queue.Check(t.Context(), full); !errors.Is(err, queue.ErrFull) || !strings.Contains(err.Error(), "1 MiB left") {
		t.Errorf("a full disk: %v", err)
	}
	full.FreeSpace = func(string) (uint64, error) { return 0, errors.New("no disk") }
	if _, err := queue.Check(t.Context(), full); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("no disk: %v", err)
	}

	if err := os.Remove(o.Folder + ".key"); err != nil {
		t.Fatal(err)
	}
	if _, err := queue.Check(t.Context(), o); !errors.Is(err, queue.ErrKey) {
		t.Errorf("without its key: %v", err)
	}
	if _, err := os.Stat(o.Folder + ".key"); err == nil {
		t.Error("a key was made")
	}
}

func TestCheckOfACluster(t *testing.T) {
	n := testserver.StartNATS(t, 1)
	o := clusterOptions(n, 1)
	where, err := queue.Check(t.Context(), o)
	if err != nil || !strings.Contains(where, "0 streams") || strings.Contains(where, n.Password) {
		t.Errorf("got %q, %v", where, err)
	}
	streams := 0
	for range n.Connect(o.Cluster.Username).ListStreams(t.Context()).Info() {
		streams++
	}
	if streams != 0 {
		t.Errorf("%d streams were made", streams)
	}
	wrong := clusterOptions(n, 1)
	wrong.Cluster.Password = "wr0ng"
	if _, err := queue.Check(t.Context(), wrong); !errors.Is(err, queue.ErrUnavailable) || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("a wrong password: %v", err)
	}
	away := clusterOptions(n, 1)
	away.Cluster.URLs = []string{"tls://127.0.0.1:1"}
	if _, err := queue.Check(t.Context(), away); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := queue.Check(ended, o); !errors.Is(err, context.Canceled) {
		t.Errorf("at the end of its context: %v", err)
	}
}
