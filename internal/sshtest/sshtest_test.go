package sshtest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"muster/internal/sshtest"
)

const patience = time.Minute

func start(t *testing.T, o sshtest.Options) *sshtest.Server {
	t.Helper()
	if o.Home == "" {
		o.Home = t.TempDir()
	}
	server, err := sshtest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return server
}

// connect logs in as a client that checks the host key.
func connect(t *testing.T, s *sshtest.Server, user string, methods ...ssh.AuthMethod) (*ssh.Client, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(s.KnownHostsLine()), 0o600); err != nil {
		t.Fatal(err)
	}
	check, err := knownhosts.New(file)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", s.Addr().String(), &ssh.ClientConfig{User: user, Auth: methods, HostKeyCallback: check})
	if err == nil {
		t.Cleanup(func() { _ = client.Close() })
	}
	return client, err
}

func session(t *testing.T, s *sshtest.Server) *ssh.Session {
	t.Helper()
	client, err := connect(t, s, "anybody", ssh.Password("right"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestNewWantsAHome(t *testing.T) {
	if server, err := sshtest.New(sshtest.Options{}); err == nil {
		_ = server.Close()
		t.Error("it has none")
	}
}

func TestWhoIsLetIn(t *testing.T) {
	right, err := sshtest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := sshtest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	server := start(t, sshtest.Options{User: "monitor", Password: "right", Keys: []ssh.PublicKey{right.PublicKey()}})
	for _, c := range []struct {
		name, user string
		method     ssh.AuthMethod
		want       bool
	}{
		{"the key", "monitor", ssh.PublicKeys(right), true},
		{"the password", "monitor", ssh.Password("right"), true},
		{"another key", "monitor", ssh.PublicKeys(wrong), false},
		{"another password", "monitor", ssh.Password("wrong"), false},
		{"no password", "monitor", ssh.Password(""), false},
		{"another user's key", "root", ssh.PublicKeys(right), false},
		{"another user's password", "root", ssh.Password("right"), false},
	} {
		if _, err := connect(t, server, c.user, c.method); (err == nil) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := connect(t, start(t, sshtest.Options{Keys: []ssh.PublicKey{right.PublicKey()}}), "x", ssh.Password("")); err == nil {
		t.Error("a server without a password takes the empty one")
	}
}

func TestShellIsALogin(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its commands are those of a POSIX shell")
	}
	t.Setenv("MUSTER_SECRET", "secret")
	home := t.TempDir()
	server := start(t, sshtest.Options{Home: home, Password: "right", Env: []string{"LANG=C"}})
	s := session(t, server)
	var stderr bytes.Buffer
	s.Stdin, s.Stderr = strings.NewReader("input"), &stderr
	output, err := s.Output(`cat; echo; pwd; echo "$HOME $USER $LANG"; env | grep -c SECRET; echo no >&2; exit 7`)
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != 7 {
		t.Errorf("got %v", err)
	}
	if want := "input\n" + home + "\n" + home + " anybody C\n0\n"; string(output) != want || stderr.String() != "no\n" {
		t.Errorf("got %q and %q, want %q", output, stderr.String(), want)
	}
	if err := session(t, server).Run("kill -TERM $$"); !errors.As(err, &exit) || exit.Signal() != "TERM" {
		t.Errorf("got %v", err)
	}
	if err := session(t, server).Run("exec sleep 0"); err != nil {
		t.Errorf("a command that leaves its input alone: %v", err)
	}
}

// TestAllEndsWithTheClient kills a command and what it started when the channel is closed.
func TestAllEndsWithTheClient(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its commands are those of a POSIX shell")
	}
	home := t.TempDir()
	s := session(t, start(t, sshtest.Options{Home: home, Password: "right"}))
	stdout, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// The pipe has a reader as long as any of the two lives.
	if err := s.Start("mkfifo pipe; exec 3<>pipe; sleep 300 & echo ready; sleep 300; echo late"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; {
		pipe, err := openWriter(filepath.Join(home, "pipe"))
		if err != nil {
			return
		}
		pipe.Close()
		if time.Now().After(end) {
			t.Fatal("a process is left")
		}
	}
}

func TestServeFilesBeginsInTheHome(t *testing.T) {
	home := t.TempDir()
	client, err := connect(t, start(t, sshtest.Options{Home: home, Password: "right"}), "x", ssh.Password("right"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := sftp.NewClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	if path, err := files.RealPath("."); err != nil || path != filepath.ToSlash(home) {
		t.Errorf("got %q, %v; want %q", path, err, home)
	}
	file, err := files.Create("note")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(home, "note")); string(got) != "hello" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRefuse(t *testing.T) {
	for _, request := range []string{"session", "exec", "sftp"} {
		client, err := connect(t, start(t, sshtest.Options{Password: "right", Refuse: sshtest.Refuse(request)}), "x", ssh.Password("right"))
		if err != nil {
			t.Fatal(err)
		}
		_, noSFTP := sftp.NewClient(client)
		s, noSession := client.NewSession()
		var noExec error
		if noSession == nil {
			noExec = s.Run("exit 0")
		}
		got := []bool{noSession != nil, noExec != nil, noSFTP != nil}
		want := map[string][]bool{"session": {true, false, true}, "exec": {false, true, false}, "sftp": {false, false, true}}[request]
		if got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
			t.Errorf("%s: got %v, want %v", request, got, want)
		}
	}
}

func TestExit(t *testing.T) {
	for name, c := range map[string]struct {
		exit  sshtest.Exit
		check func(error) bool
	}{
		"success": {sshtest.Exit{}, func(err error) bool { return err == nil }},
		"a status": {sshtest.Exit{Status: 3}, func(err error) bool {
			var exit *ssh.ExitError
			return errors.As(err, &exit) && exit.ExitStatus() == 3
		}},
		"a signal": {sshtest.Exit{Signal: "HUP"}, func(err error) bool {
			var exit *ssh.ExitError
			return errors.As(err, &exit) && exit.Signal() == "HUP"
		}},
		"silence": {sshtest.Exit{Silent: true}, func(err error) bool {
			var missing *ssh.ExitMissingError
			return errors.As(err, &missing)
		}},
	} {
		server := start(t, sshtest.Options{Password: "right", Exec: func(_ context.Context, s *sshtest.Session) sshtest.Exit {
			if s.Command != "the command" || s.User != "anybody" {
				t.Errorf("got %+v", s)
			}
			return c.exit
		}})
		if err := session(t, server).Run("the command"); !c.check(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSetHostKeys(t *testing.T) {
	server := start(t, sshtest.Options{Password: "right"})
	before := server.KnownHostsLine()
	key, err := sshtest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	server.SetHostKeys(key)
	if server.KnownHostsLine() == before {
		t.Error("the key is the same")
	}
	if _, err := connect(t, server, "x", ssh.Password("right")); err != nil {
		t.Error(err)
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		accept func(net.Conn) net.Conn
		check  func(t *testing.T, conn net.Conn)
	}{
		"silent": {sshtest.Silent, func(t *testing.T, conn net.Conn) {
			_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %d bytes, %v", n, err)
			}
		}},
		"say": {sshtest.Say("hello"), func(t *testing.T, conn net.Conn) {
			if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		}},
		"babble": {sshtest.Babble("bla"), func(t *testing.T, conn net.Conn) {
			if n, err := io.CopyN(io.Discard, conn, 10<<20); err != nil {
				t.Errorf("got %d bytes, %v", n, err)
			}
		}},
		"cut": {sshtest.CutAfter(7), func(t *testing.T, conn net.Conn) {
			if got, _ := io.ReadAll(conn); string(got) != "SSH-2.0" {
				t.Errorf("got %q", got)
			}
		}},
		"stall": {sshtest.StallAfter(7), func(t *testing.T, conn net.Conn) {
			_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			if got, err := io.ReadAll(conn); string(got) != "SSH-2.0" || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %q, %v", got, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", start(t, sshtest.Options{Password: "right", Accept: c.accept}).Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			c.check(t, conn)
		})
	}
}

func TestAwaitNone(t *testing.T) {
	server := start(t, sshtest.Options{Password: "right"})
	client, err := connect(t, server, "anybody", ssh.Password("right")) // the server knows of it
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if open := server.AwaitNone(ended); open != 1 {
		t.Errorf("%d connections are open, want 1", open)
	}
	none := make(chan int)
	go func() { none <- server.AwaitNone(t.Context()) }()
	_ = client.Close()
	if open := <-none; open != 0 {
		t.Errorf("%d connections are open", open)
	}
}

// TestCloseEndsEverything closes a server in the middle of everything. That it returns is the test.
func TestCloseEndsEverything(t *testing.T) {
	server := start(t, sshtest.Options{Password: "right"})
	s := session(t, server)
	if err := s.Start("sleep 300"); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if open, accepted := server.Connections(); accepted < 1 || open < 1 {
		t.Errorf("%d open of %d", open, accepted)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Close() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if open := server.AwaitNone(t.Context()); open != 0 {
		t.Errorf("%d connections are open", open)
	}
	if err := s.Wait(); err == nil {
		t.Error("the command ended well")
	}
}
