package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

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
