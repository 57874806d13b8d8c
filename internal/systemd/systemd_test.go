//go:build unix

package systemd

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// listen opens a socket as systemd does, and names it in the environment.
func listen(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	t.Setenv(socketVariable, name)
	return conn
}

func path(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "sd-") // a test's own is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return filepath.Join(folder, "notify")
}

func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	buffer := make([]byte, 4096)
	n, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

func TestWhatIsSaid(t *testing.T) {
	names := map[string]string{"path": path(t)}
	if runtime.GOOS == "linux" {
		names["abstract"] = fmt.Sprint("@muster-test-", os.Getpid())
	}
	for kind, name := range names {
		t.Run(kind, func(t *testing.T) {
			conn := listen(t, name)
			n := FromEnvironment(slog.New(slog.DiscardHandler))
			for _, c := range []struct {
				tell func()
				want string
			}{
				{func() { n.Ready("3 hosts") }, "READY=1\nSTATUS=3 hosts"},
				{func() { n.Status("a\nb\x1b[0m") }, "STATUS=a b [0m"},
				{n.Alive, "WATCHDOG=1"},
				{n.Stopping, "STOPPING=1\nSTATUS=stopping: visits under way are cancelled"},
			} {
				c.tell()
				if got := receive(t, conn); got != c.want {
					t.Errorf("told %q, want %q", got, c.want)
				}
			}
			before, known := monotonic()
			n.Reloading()
			after, _ := monotonic()
			reloading, at, _ := strings.Cut(receive(t, conn), "\n")
			if reloading != "RELOADING=1" {
				t.Errorf("told %q", reloading)
			}
			if microseconds, err := strconv.ParseInt(strings.TrimPrefix(at, "MONOTONIC_USEC="), 10, 64); known &&
				(err != nil || microseconds < before.Microseconds() || microseconds > after.Microseconds()) {
				t.Errorf("told %q, want a time from %d to %d", at, before.Microseconds(), after.Microseconds())
			}
			n.Status(strings.Repeat("ä", 10_000))
			if got := receive(t, conn); len(got) > 2*maxStatus || !utf8.ValidString(got) {
				t.Errorf("told %d bytes", len(got))
			}
		})
	}
}

// Programs that the server starts do not speak for it.
func TestTheEnvironmentIsCleared(t *testing.T) {
	t.Setenv(socketVariable, path(t))
	t.Setenv(watchdogVariable, "3000000")
	t.Setenv(processVariable, strconv.Itoa(os.Getpid()))
	if n := FromEnvironment(nil); n.Within() != 3*time.Second {
		t.Errorf("within %s, want 3s", n.Within())
	}
	for _, name := range []string{socketVariable, watchdogVariable, processVariable} {
		if value, set := os.LookupEnv(name); set {
			t.Errorf("%s is still %q", name, value)
		}
	}
	if n := FromEnvironment(nil); n.Within() != 0 {
		t.Errorf("within %s, want nobody to watch", n.Within())
	}
}

func TestWhoWatches(t *testing.T) {
	for name, c := range map[string]struct {
		microseconds, process string
		want                  time.Duration
	}{
		"this process":    {"20000000", strconv.Itoa(os.Getpid()), 20 * time.Second},
		"whoever":         {"20000000", "", 20 * time.Second},
		"another process": {"20000000", "1", 0},
		"nobody":          {"", "", 0},
		"nonsense":        {"soon", "", 0},
		"never":           {"0", "", 0},
		"beyond a day":    {"9223372036854775807", "", 24 * time.Hour},
	} {
		t.Setenv(socketVariable, "/nowhere")
		t.Setenv(watchdogVariable, c.microseconds)
		t.Setenv(processVariable, c.process)
		if got := FromEnvironment(nil).Within(); got != c.want {
			t.Errorf("%s: within %s, want %s", name, got, c.want)
		}
	}
}

// A manager that is not there, or does not read, costs a line in the log and a second at most.
func TestNobodyListens(t *testing.T) {
	FromEnvironment(nil).Ready("x") // nobody is named: there is not even a line
	t.Setenv(socketVariable, path(t))
	var log strings.Builder
	n := FromEnvironment(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	n.Ready("x")
	if !strings.Contains(log.String(), "READY=1") {
		t.Errorf("log: %q", log.String())
	}
	listen(t, path(t))
	log.Reset()
	n = FromEnvironment(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for range 10_000 { // until its socket is full
		n.Alive()
		if log.Len() > 0 {
			break
		}
	}
	if !strings.Contains(log.String(), "WATCHDOG=1") {
		t.Error("a socket that nobody reads took everything")
	}
}
