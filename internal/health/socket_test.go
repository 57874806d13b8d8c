//go:build unix

package health

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder returns one with a path short enough for a socket, wherever the tests run.
func folder(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("", "m")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(path) })
	return path
}

func names(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestControlSocket(t *testing.T) {
	data := folder(t)
	if _, err := Ask(t.Context(), data); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before: %v", err)
	}
	l, err := ListenControl(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, data); got != socketName {
		t.Errorf("the folder holds %q", got)
	}
	info, err := os.Lstat(filepath.Join(data, socketName))
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if l.Addr().String() != filepath.Join(data, socketName) {
		t.Errorf("it says it is at %s", l.Addr())
	}

	f := busyFixture()
	f.Handle("POST /act", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- f.ServeControl(ctx, l) }()
	s, err := Ask(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if s.Version != "1.2.3" || s.Hosts.Up != 2 || s.Facts.Queue.Consumers[0].Waiting != 11 {
		t.Errorf("it says %+v", s)
	}
	response, err := Dial(data).Post(BaseURL+"/act", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Errorf("it answers %s", response.Status)
	}
	if _, err := ListenControl(data); !errors.Is(err, ErrInUse) {
		t.Errorf("a second server: %v", err)
	}
	if _, err := Ask(t.Context(), data); err != nil {
		t.Errorf("the second server took the place of the first: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := names(t, data); got != "" {
		t.Errorf("it leaves %q", got)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	noGoroutines(t)
}

// TestStaleSocket: what a killed server left behind is no obstacle.
func TestStaleSocket(t *testing.T) {
	data := folder(t)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(data, socketName), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	if err := os.MkdirAll(filepath.Join(data, ".control", "s"), 0o700); err != nil { // killed half-way
		t.Fatal(err)
	}
	if _, err := Ask(t.Context(), data); !errors.Is(err, ErrNotRunning) {
		t.Errorf("with a stale socket: %v", err)
	}
	l, err := ListenControl(data)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("unix", filepath.Join(data, socketName))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestSocketPath(t *testing.T) {
	root := folder(t)
	for _, c := range []struct {
		length int
		want   error
	}{{maxSocketPath, nil}, {maxSocketPath + 1, ErrPathTooLong}} {
		data := filepath.Join(root, strings.Repeat("d", c.length-len(root)-len(socketName)-2))
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := ListenControl(data)
		if !errors.Is(err, c.want) {
			t.Errorf("%d bytes: %v", c.length, err)
		}
		if err == nil {
			_ = l.Close()
			continue
		}
		if _, err := Ask(t.Context(), data); !errors.Is(err, c.want) {
			t.Errorf("%d bytes, asked: %v", c.length, err)
		}
	}
	if _, err := ListenControl(filepath.Join(root, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// TestAskIsBounded: whoever answers instead of the server can't do harm.
func TestAskIsBounded(t *testing.T) {
	data := folder(t)
	l, err := ListenControl(data)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	f := newFixture()
	answers := map[string]func(http.ResponseWriter){
		"not JSON":  func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) },
		"not found": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
		"a redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://example.org/")
			w.WriteHeader(http.StatusFound)
		},
		"much": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"version":"`))
			for range maxStatus>>16 + 1 {
				_, _ = w.Write([]byte(strings.Repeat("x", 1<<16)))
			}
			_, _ = w.Write([]byte(`"}`))
		},
	}
	var next func(http.ResponseWriter)
	f.Handle("GET /status", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { next(w) }))
	ended := make(chan error, 1)
	go func() { ended <- f.ServeControl(ctx, l) }()
	for name, answer := range answers {
		next = answer
		if s, err := Ask(t.Context(), data); err == nil {
			t.Errorf("%s: it is taken for %+v", name, s)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := Ask(ctx, data); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
