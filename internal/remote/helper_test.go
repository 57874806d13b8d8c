package remote_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// password is the right one wherever a test's server wants one.
const password = "right horse"

// deadline ends what should have ended long before.
const deadline = time.Minute

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// newKey generates an Ed25519 key pair.
func newKey(t testing.TB) ssh.Signer {
	t.Helper()
	key, err := sshtest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newServer starts a server in this process that knows the password, and stops it at the end of the test.
func newServer(t testing.TB, o sshtest.Options) *sshtest.Server {
	t.Helper()
	if o.Home == "" {
		o.Home = t.TempDir()
	}
	if o.Password == "" {
		o.Password = password
	}
	server, err := sshtest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
	})
	return server
}

// knownHosts writes a known_hosts file and loads it.
func knownHosts(t testing.TB, content string) *remote.HostKeys {
	t.Helper()
	keys, _ := knownHostsFile(t, content)
	return keys
}

func knownHostsFile(t testing.TB, content string) (*remote.HostKeys, string) {
	t.Helper()
	path := writeFile(t, "known_hosts", content, 0o600)
	keys, err := remote.LoadHostKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return keys, path
}

func writeFile(t testing.TB, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// options dial a server with the right password and its right key.
func options(t testing.TB, s *sshtest.Server) remote.Options {
	t.Helper()
	return remote.Options{
		Host: "web1", Address: "127.0.0.1", Port: s.Addr().Port, User: "monitor", Password: password,
		HostKeys:  knownHosts(t, s.KnownHostsLine()),
		Deadlines: remote.Deadlines{Dial: deadline, Handshake: deadline, Authentication: deadline},
	}
}

// dial connects and closes the connection at the end of the test.
func dial(t testing.TB, o remote.Options) *remote.Conn {
	t.Helper()
	conn, err := remote.Dial(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close the connection: %v", err)
		}
	})
	return conn
}

// want is what a failure should be.
type want struct {
	stage  failure.Stage
	kind   failure.Kind
	says   []string // in the error's text
	advice []string // in what a person is told to do
}

func (w want) check(t testing.TB, err error) *failure.Error {
	t.Helper()
	if wrong := w.wrong(err); wrong != "" {
		t.Error(wrong)
	}
	var found *failure.Error
	if !errors.As(err, &found) {
		t.FailNow()
	}
	return found
}

// wrong returns what is wrong with an error, or nothing.
func (w want) wrong(err error) string {
	if err == nil {
		return "it worked"
	}
	var found *failure.Error
	if !errors.As(err, &found) {
		return fmt.Sprintf("got %T, want *failure.Error: %v", err, err)
	}
	var wrong []string
	if found.Stage != w.stage || found.Kind != w.kind {
		wrong = append(wrong, fmt.Sprintf("got stage %q and kind %q, want %q and %q: %v", found.Stage, found.Kind, w.stage, w.kind, err))
	}
	for _, text := range w.says {
		if !strings.Contains(err.Error(), text) {
			wrong = append(wrong, fmt.Sprintf("the error does not say %q: %v", text, err))
		}
	}
	for _, text := range w.advice {
		if !strings.Contains(found.Help(), text) {
			wrong = append(wrong, fmt.Sprintf("the advice does not say %q: %s", text, found.Help()))
		}
	}
	for _, text := range []string{err.Error(), found.Help()} {
		if strings.Contains(text, password) {
			wrong = append(wrong, fmt.Sprintf("the password is in %q", text))
		}
	}
	return strings.Join(wrong, "\n")
}

// noLeak fails a test after which goroutines of the package are left. The library's own end shortly after a
// connection's close and give no sign of it, so that it looks again until they have.
func noLeak(t testing.TB) {
	t.Helper()
	before := goroutines()
	t.Cleanup(func() {
		var left string
		for end := time.Now().Add(deadline); time.Now().Before(end); runtime.Gosched() {
			if left = newSince(before); left == "" {
				return
			}
		}
		t.Errorf("goroutines are left:\n%s", left)
	})
}

// goroutines returns the stacks of all goroutines that run code of SSH or SFTP, by their number.
func goroutines() map[string]string {
	buffer := make([]byte, 4<<20)
	buffer = buffer[:runtime.Stack(buffer, true)]
	found := make(map[string]string)
	for _, stack := range strings.Split(string(buffer), "\n\n") {
		number, _, _ := strings.Cut(stack, "[")
		if strings.Contains(stack, "x/crypto/ssh") || strings.Contains(stack, "pkg/sftp") ||
			strings.Contains(stack, "internal/remote.") {
			found[number] = stack
		}
	}
	return found
}

func newSince(before map[string]string) string {
	var left strings.Builder
	for number, stack := range goroutines() {
		if _, ok := before[number]; !ok && !strings.Contains(stack, "internal/remote_test.goroutines") {
			left.WriteString(stack + "\n\n")
		}
	}
	return left.String()
}

// never is a time at which no test runs.
func never() time.Time { return time.Now().AddDate(10, 0, 0) }

// holdLock takes the lock on a file, and returns what gives it back.
func holdLock(t testing.TB, path string) (release func()) {
	t.Helper()
	lock := flock.New(path)
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := lock.Close(); err != nil {
			t.Error(err)
		}
	}
}
