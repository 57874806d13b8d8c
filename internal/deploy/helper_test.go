package deploy_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// nonce is in all clients of these tests, so that none is found on this machine where another run has left it.
var nonce = strconv.FormatInt(time.Now().UnixNano(), 36)

// script is a client that is quick to make: all that deploying asks of a client is its version.
func script(version string) string {
	return "#!/bin/sh\n# " + nonce + "\n[ \"$1\" = --version ] && echo " + version + "\n"
}

// scripts returns a set with such a client for this platform.
func scripts(t testing.TB, version string) *deploy.Clients {
	t.Helper()
	return deploytest.Set(t, version, map[deploy.Platform]string{deploytest.Native(): script(version)})
}

// nameOf returns the name that a client has on a host.
func nameOf(program string) string {
	sum := sha256.Sum256([]byte(program))
	return "muster-client-" + hex.EncodeToString(sum[:])[:16]
}

// host is a server for one test, and a connection to it.
type host struct {
	*sshtest.Server
	home     string
	conn     *remote.Conn
	mu       sync.Mutex
	commands []string // that were run
}

// newHost starts a server whose options the test may change, and connects to it.
func newHost(t *testing.T, change func(*sshtest.Options)) *host {
	t.Helper()
	h := &host{home: t.TempDir()}
	options := sshtest.Options{Home: h.home, Password: "secret"}
	if change != nil {
		change(&options)
	}
	run := options.Exec
	if run == nil {
		run = sshtest.Shell
	}
	options.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		h.mu.Lock()
		h.commands = append(h.commands, s.Command)
		h.mu.Unlock()
		return run(ctx, s)
	}
	server, err := sshtest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	h.Server = server
	t.Cleanup(func() { _ = server.Close() })
	h.conn = connect(t, server)
	return h
}

func connect(t testing.TB, server *sshtest.Server) *remote.Conn {
	t.Helper()
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(server.KnownHostsLine()), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := remote.LoadHostKeys(known)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := remote.Dial(t.Context(), remote.Options{
		Host: "h", Address: "127.0.0.1", Port: server.Addr().Port, User: "u", Password: "secret", HostKeys: keys,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ran returns the commands since the last call.
func (h *host) ran() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	ran := h.commands
	h.commands = nil
	return ran
}

// cache is the folder in which a client lives by default.
func (h *host) cache() string { return filepath.Join(h.home, ".cache", "muster") }

// answering returns a handler that answers some commands by itself and has the shell run all others.
func answering(answers map[string]sshtest.Handler) sshtest.Handler {
	return func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		for prefix, handler := range answers {
			if strings.HasPrefix(s.Command, prefix) {
				return handler(ctx, s)
			}
		}
		return sshtest.Shell(ctx, s)
	}
}

// wantFailure checks the failure's kind and stage, and that its text or advice holds each of the words.
func wantFailure(t *testing.T, err error, stage failure.Stage, kind failure.Kind, words ...string) {
	t.Helper()
	var failed *failure.Error
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want a failure of kind %s", err, kind)
	}
	if failed.Kind != kind || failed.Stage != stage {
		t.Errorf("got %s at stage %s, want %s at %s: %v", failed.Kind, failed.Stage, kind, stage, err)
	}
	for _, word := range words {
		if text := failed.Error() + " " + failed.Help(); !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// babbling runs commands as on a host whose login script prints, and leaves its line open.
func babbling(ctx context.Context, s *sshtest.Session) sshtest.Exit {
	louder := *s
	louder.Command = "echo Welcome; echo muster-answer; printf open; echo odd >&2; " + s.Command
	return sshtest.Shell(ctx, &louder)
}

func install(t *testing.T, h *host, clients *deploy.Clients, directory string) deploy.Installed {
	t.Helper()
	got, err := clients.Install(t.Context(), h.conn, deploytest.Native(), directory)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// installAtOnce installs over several connections at the same time.
func installAtOnce(t *testing.T, clients *deploy.Clients, conns ...*remote.Conn) {
	t.Helper()
	var visits sync.WaitGroup
	for _, conn := range conns {
		visits.Go(func() {
			if _, err := clients.Install(t.Context(), conn, deploytest.Native(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	visits.Wait()
}
