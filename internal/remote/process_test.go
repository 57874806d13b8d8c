package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

func TestOutput(t *testing.T) {
	noLeak(t)
	home := t.TempDir()
	conn := dial(t, options(t, newServer(t, sshtest.Options{Home: home})))
	for _, c := range []struct {
		name, command, stdin string
		stdout, stderr       string
		status               int
	}{
		{name: "its streams", command: "cat; echo no >&2", stdin: "in\n", stdout: "in\n", stderr: "no\n"},
		{name: "a status", command: "exit 7", status: 7},
		{name: "the highest status", command: "exit 255", status: 255},
		{name: "a home", command: "pwd", stdout: home + "\n"},
		{name: "no such command", command: "no-such-command 2>/dev/null", status: 127},
		{name: "an input that it does not read", command: "true", stdin: strings.Repeat("x", 4<<20)},
		{name: "nothing", command: "true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := conn.Output(within(t), c.command, []byte(c.stdin))
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Stdout) != c.stdout || string(got.Stderr) != c.stderr || got.Status != c.status {
				t.Errorf("got %q, %q, %d", got.Stdout, got.Stderr, got.Status)
			}
		})
	}
}

func TestOutputKeepsABoundedBeginning(t *testing.T) {
	noLeak(t)
	conn := dial(t, options(t, newServer(t, sshtest.Options{Exec: func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		for _, stream := range []io.Writer{s.Stdout, s.Stderr} {
			_, _ = io.WriteString(stream, "first")
			for range 50 { // five megabytes: more than waits in between
				_, _ = stream.Write(bytes.Repeat([]byte("x"), 100_000))
			}
		}
		return sshtest.Exit{Status: 3}
	}})))
	got, err := conn.Output(within(t), "flood", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, stream := range map[string][]byte{"stdout": got.Stdout, "stderr": got.Stderr} {
		if len(stream) != 64<<10 || !bytes.HasPrefix(stream, []byte("firstx")) {
			t.Errorf("%s has %d bytes", name, len(stream))
		}
	}
	if got.Status != 3 {
		t.Errorf("the status is %d", got.Status)
	}
}

func TestStartEchoesAMegabyte(t *testing.T) {
	noLeak(t)
	conn := dial(t, options(t, newServer(t, sshtest.Options{})))
	process, err := conn.Start(within(t), "cat")
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var writing sync.WaitGroup
	writing.Go(func() {
		if _, err := process.Stdin.Write(content); err != nil {
			t.Error(err)
		}
		if err := process.Stdin.Close(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(process.Stdout)
	writing.Wait()
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	for range 2 {
		if status, err := process.Wait(); status != 0 || err != nil {
			t.Errorf("got %d, %v", status, err)
		}
	}
}

func TestProcessThatDoesNotEndByItself(t *testing.T) {
	noLeak(t)
	conn := dial(t, options(t, newServer(t, sshtest.Options{})))
	got, err := conn.Output(within(t), "echo started; kill -TERM $$", nil)
	want{kind: failure.ClientCrashed, says: []string{`"TERM"`}, advice: []string{"log"}}.check(t, err)
	var signal *remote.SignalError
	if !errors.As(err, &signal) || signal.Signal != "TERM" {
		t.Errorf("got %v", err)
	}
	if string(got.Stdout) != "started\n" {
		t.Errorf("got %q", got.Stdout)
	}

	conn = dial(t, options(t, newServer(t, sshtest.Options{Exec: func(context.Context, *sshtest.Session) sshtest.Exit {
		return sshtest.Exit{Silent: true}
	}})))
	_, err = conn.Output(within(t), "x", nil)
	want{kind: failure.ClientFailed}.check(t, err)
	if !errors.Is(err, remote.ErrNoStatus) {
		t.Errorf("got %v", err)
	}
	if _, err := conn.Output(within(t), "x", nil); !errors.Is(err, remote.ErrNoStatus) {
		t.Errorf("the connection is of no more use: %v", err)
	}
}

func TestStartWhereTheHostRefuses(t *testing.T) {
	noLeak(t)
	for _, request := range []string{"session", "exec"} {
		conn := dial(t, options(t, newServer(t, sshtest.Options{Refuse: sshtest.Refuse(request)})))
		_, err := conn.Output(within(t), "true", nil)
		want{kind: failure.NoShell, says: []string{"refuses"}}.check(t, err)
	}
}

// TestWaitDoesNotWaitForAnOutputThatStaysOpen has a host that says how the command ended, and then nothing more.
func TestWaitDoesNotWaitForAnOutputThatStaysOpen(t *testing.T) {
	noLeak(t)
	conn := dial(t, options(t, newServer(t, sshtest.Options{Exec: func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		_, _ = io.WriteString(s.Stdout, "done")
		return sshtest.Exit{Status: 4, Hold: true}
	}})))
	got, err := conn.Output(within(t), "x", nil)
	if err != nil || got.Status != 4 || string(got.Stdout) != "done" {
		t.Errorf("got %q, %d, %v", got.Stdout, got.Status, err)
	}
}

// TestOutputThatFollowsTheStatusIsRead has a host that says how the command ended before it has sent all of its output.
func TestOutputThatFollowsTheStatusIsRead(t *testing.T) {
	noLeak(t)
	conn := dial(t, options(t, newServer(t, sshtest.Options{Exec: func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		_, _ = s.Channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{5}))
		for range 50 { // there and back, so that the status has been there for a while
			_, _ = s.Channel.SendRequest("ping", true, nil)
		}
		for range 30 {
			_, _ = s.Stdout.Write([]byte("late"))
		}
		return sshtest.Exit{Silent: true}
	}})))
	got, err := conn.Output(within(t), "x", nil)
	if err != nil || got.Status != 5 || len(got.Stdout) != 120 {
		t.Errorf("got %d bytes, %d, %v", len(got.Stdout), got.Status, err)
	}
}

// TestConnEndsWithTheContextOfACall ends a call of each kind that a host never answers.
func TestConnEndsWithTheContextOfACall(t *testing.T) {
	hang := sshtest.Options{Exec: sshtest.Hang, SFTP: sshtest.Hang}
	calls := map[string]func(context.Context, *remote.Conn) error{
		"Output": func(ctx context.Context, c *remote.Conn) error {
			_, err := c.Output(ctx, "x", nil)
			return err
		},
		"Output with an input that nobody reads": func(ctx context.Context, c *remote.Conn) error {
			_, err := c.Output(ctx, "x", make([]byte, 8<<20))
			return err
		},
		"Stdout": func(ctx context.Context, c *remote.Conn) error {
			process, err := c.Start(ctx, "x")
			if err != nil {
				return err
			}
			_, err = io.ReadAll(process.Stdout)
			if _, waited := process.Wait(); waited == nil {
				return fmt.Errorf("Wait knows nothing of it")
			}
			return err
		},
		"Stdin": func(ctx context.Context, c *remote.Conn) error {
			process, err := c.Start(ctx, "x")
			if err != nil {
				return err
			}
			_, err = process.Stdin.Write(make([]byte, 8<<20))
			_, _ = process.Wait()
			return err
		},
		"Files": func(ctx context.Context, c *remote.Conn) error {
			_, err := c.Files(ctx)
			return err
		},
	}
	for name, call := range calls {
		for _, kind := range []failure.Kind{failure.Timeout, failure.Cancelled} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				noLeak(t)
				server := newServer(t, hang)
				conn := dial(t, options(t, server))
				ctx, cancel := context.WithTimeout(t.Context(), short)
				if kind == failure.Cancelled {
					ctx, cancel = context.WithCancel(t.Context())
					time.AfterFunc(short, cancel)
				}
				defer cancel()
				want{kind: kind}.check(t, call(ctx, conn))
				closed(t, server)
			})
		}
	}
}

func TestConnOutlivesTheContextsOfItsCalls(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{})
	ctx, cancel := context.WithCancel(within(t))
	conn, err := remote.Dial(ctx, options(t, server))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	cancel()
	ctx, cancel = context.WithCancel(within(t))
	if _, err := conn.Output(ctx, "true", nil); err != nil {
		t.Fatal(err)
	}
	files, err := conn.Files(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.Stat(ctx, "."); err != nil {
		t.Fatal(err)
	}
	cancel()
	// A watch that was left behind would end the connection now, or a moment later.
	for range 20 {
		if got, err := conn.Output(within(t), "true", nil); err != nil || got.Status != 0 {
			t.Fatalf("got %d, %v", got.Status, err)
		}
	}
	if _, err := files.Stat(within(t), "."); err != nil {
		t.Error(err)
	}
}

func TestConnSaysThatTheHostIsGone(t *testing.T) {
	noLeak(t)
	var server *sshtest.Server
	server = newServer(t, sshtest.Options{Exec: func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		_, _ = io.WriteString(s.Stdout, "half of a rep")
		server.Disconnect()
		return sshtest.Exit{}
	}})
	conn := dial(t, options(t, server))
	process, err := conn.Start(within(t), "x")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(process.Stdout)
	want{kind: failure.Disconnected, says: []string{"lost"}}.check(t, err)
	if string(got) != "half of a rep" {
		t.Errorf("got %q", got)
	}
	_, err = process.Wait()
	want{kind: failure.Disconnected}.check(t, err)
	_, err = conn.Output(within(t), "x", nil)
	want{kind: failure.Disconnected}.check(t, err)
}

// A channel that is asked for just when the connection ends is not waited for: who asks learns that it is over.
func TestOpeningAChannelAtTheEndOfAConnection(t *testing.T) {
	t.Parallel()
	server := newServer(t, sshtest.Options{Exec: sshtest.Hang})
	o := options(t, server)
	const rounds, askers = 20, 8
	for range rounds {
		conn := dial(t, o)
		process, err := conn.Start(within(t), "stay")
		if err != nil {
			t.Fatal(err)
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_, _ = io.Copy(io.Discard, process.Stdout) // ends with the connection
		}()
		answers := make(chan error, askers)
		for range askers {
			go func() {
				<-gone
				_, err := conn.Start(t.Context(), "too late")
				answers <- err
			}()
		}
		server.Disconnect()
		for range askers {
			select {
			case err := <-answers:
				want{kind: failure.Disconnected}.check(t, err)
			case <-time.After(deadline):
				t.Fatal("who asked for a channel still waits for it")
			}
		}
		_, _ = process.Wait()
	}
}

func TestConnRunsCommandsAtOnce(t *testing.T) {
	noLeak(t)
	conn := dial(t, options(t, newServer(t, sshtest.Options{Exec: func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		_, _ = io.WriteString(s.Stdout, s.Command)
		return sshtest.Exit{}
	}})))
	var commands sync.WaitGroup
	for i := range 20 {
		commands.Go(func() {
			want := fmt.Sprint("command ", i)
			if got, err := conn.Output(within(t), want, nil); err != nil || string(got.Stdout) != want {
				t.Errorf("got %q, %v", got.Stdout, err)
			}
		})
	}
	commands.Wait()
}

// TestConnIsNotImpressedByAHostThatAsks has a host that sends requests and opens channels, as only clients do.
func TestConnIsNotImpressedByAHostThatAsks(t *testing.T) {
	noLeak(t)
	conn := dial(t, options(t, newServer(t, sshtest.Options{Exec: func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		for range 100 {
			if ok, err := s.Channel.SendRequest("auth-agent-req@openssh.com", true, nil); ok || err != nil {
				return sshtest.Exit{Status: 1}
			}
			_, _ = s.Channel.SendRequest("exit-status", false, []byte("no number"))
			_, _ = s.Channel.SendRequest("exit-signal", false, []byte{0xff, 0xff, 0xff, 0xff})
		}
		if _, _, err := s.Conn.OpenChannel("forwarded-tcpip", nil); err == nil {
			return sshtest.Exit{Status: 2}
		}
		if ok, _, err := s.Conn.SendRequest("hostkeys-prove-00@openssh.com", true, nil); ok || err != nil {
			return sshtest.Exit{Status: 3}
		}
		return sshtest.Exit{}
	}})))
	if got, err := conn.Output(within(t), "x", nil); err != nil || got.Status != 0 {
		t.Errorf("got %d, %v", got.Status, err)
	}
}

func TestCloseEndsCallsThatAreUnderWay(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{Exec: echo})
	for range 5 {
		conn := dial(t, options(t, server))
		var begun, calls sync.WaitGroup
		for range 4 {
			begun.Add(1)
			calls.Go(func() {
				_, err := conn.Output(within(t), "x", nil)
				begun.Done()
				for err == nil {
					if _, err = conn.Output(within(t), "x", nil); err == nil {
						_, err = conn.Files(within(t))
					}
				}
				if kind := failure.From("", err).Kind; kind != failure.Cancelled {
					t.Errorf("it ended with %q: %v", kind, err)
				}
			})
		}
		begun.Wait()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		calls.Wait()
	}
}

func TestCloseWaitsForWhatTheConnectionStarted(t *testing.T) {
	noLeak(t)
	conn := dial(t, options(t, newServer(t, sshtest.Options{})))
	ended := conn.RunUntilOver()
	_ = conn.Close()
	if !ended() {
		t.Error("a task still runs")
	}
	if !conn.RunUntilOver()() {
		t.Error("a task that begins after Close is not waited for")
	}
}
