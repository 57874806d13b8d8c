package remote_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

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
