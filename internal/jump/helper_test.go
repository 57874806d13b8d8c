package jump_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/jump"
	"muster/internal/remote"
	"muster/internal/sshtest"
	"muster/internal/testserver"
)

// deadline ends what should have ended long before.
const deadline = time.Minute

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// newPool makes a pool that is closed at the end of the test.
func newPool(t testing.TB, o jump.Options) *jump.Pool {
	t.Helper()
	pool := jump.New(o)
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
		if open := pool.Connections(); open != 0 {
			t.Errorf("%d connections are open after Close", open)
		}
	})
	return pool
}

// login says how to log in to a real sshd.
func login(t testing.TB, name string, s *testserver.Sshd) remote.Options {
	t.Helper()
	key, err := remote.LoadKey(s.KeyFile, "")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := remote.LoadHostKeys(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	return remote.Options{
		Host: name, Address: s.Address, Port: s.Port, User: s.User, Signers: []ssh.Signer{key}, HostKeys: keys,
		Deadlines: remote.Deadlines{Dial: deadline, Handshake: deadline, Authentication: deadline},
	}
}

// visit logs in to a host and runs a command that says its port, as a visit does.
func visit(ctx context.Context, o remote.Options, command string) (string, error) {
	conn, err := remote.Dial(ctx, o)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	got, err := conn.Output(ctx, command, nil)
	return strings.TrimSpace(string(got.Stdout)), err
}

// sayPort is a command that says on which port of sshd it was reached.
const sayPort = `set -- $SSH_CONNECTION; echo $4`

// reaches fails a test unless the host is reached.
func reaches(t testing.TB, o remote.Options) {
	t.Helper()
	if got, err := visit(within(t), o, sayPort); err != nil || got != strconv.Itoa(o.Port) {
		t.Errorf("got %q, %v; want port %d", got, err, o.Port)
	}
}

// want is what a failure should be.
type want struct {
	stage  failure.Stage
	kind   failure.Kind
	jump   string
	says   []string // in the error's text
	advice []string // in what a person is told to do
}

func (w want) check(t testing.TB, err error) {
	t.Helper()
	var found *failure.Error
	if !errors.As(err, &found) {
		t.Fatalf("got %T, want *failure.Error: %v", err, err)
	}
	if found.Stage != w.stage || found.Kind != w.kind || found.Jump != w.jump {
		t.Errorf("got stage %q, kind %q and jump host %q, want %q, %q and %q: %v",
			found.Stage, found.Kind, found.Jump, w.stage, w.kind, w.jump, err)
	}
	for _, text := range w.says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error does not say %q: %v", text, err)
		}
	}
	for _, text := range w.advice {
		if !strings.Contains(found.Help(), text) {
			t.Errorf("the advice does not say %q: %s", text, found.Help())
		}
	}
}

// noLeak fails a test that leaves goroutines or, on Linux, descriptors. The SSH library's own goroutines end shortly after
// their connections and give no sign of it, so that it looks again until they have.
func noLeak(t testing.TB) {
	t.Helper()
	before, files := goroutines(), descriptors()
	t.Cleanup(func() {
		var left string
		for end := time.Now().Add(deadline); time.Now().Before(end); runtime.Gosched() {
			if left = newSince(before); left == "" && descriptors() <= files {
				return
			}
		}
		t.Errorf("%d descriptors, there were %d; goroutines that are left:\n%s", descriptors(), files, left)
	})
}

func descriptors() int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(files)
}

// goroutines returns the stacks of all goroutines that run code of SSH, by their number.
func goroutines() map[string]string {
	buffer := make([]byte, 4<<20)
	buffer = buffer[:runtime.Stack(buffer, true)]
	found := make(map[string]string)
	for stack := range strings.SplitSeq(string(buffer), "\n\n") {
		number, _, _ := strings.Cut(stack, "[")
		if strings.Contains(stack, "x/crypto/ssh") || strings.Contains(stack, "internal/remote.") || strings.Contains(stack, "internal/jump.") {
			found[number] = stack
		}
	}
	return found
}

func newSince(before map[string]string) string {
	var left strings.Builder
	for number, stack := range goroutines() {
		if _, ok := before[number]; !ok && !strings.Contains(stack, "jump_test.goroutines") {
			fmt.Fprintf(&left, "%s\n\n", stack)
		}
	}
	return left.String()
}

// knownLines returns host keys from the lines of a known_hosts file.
func knownLines(t testing.TB, lines string) *remote.HostKeys {
	t.Helper()
	path := t.TempDir() + "/known_hosts"
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := remote.LoadHostKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newKey(t testing.TB) ssh.Signer {
	t.Helper()
	key, err := sshtest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}
