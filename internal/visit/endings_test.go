package visit_test

import (
	"bufio"
	"context"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/failure"
	"muster/internal/sshtest"
	"muster/internal/visit"
)

// hangingAt is a client that hangs: before the report begins, within it, or after it.
func hangingAt(stage failure.Stage) sshtest.Handler {
	return func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		_, sealed, err := answer(s.Stdin, nil)
		if err != nil {
			return exit(s, err)
		}
		frame := framed(string(sealed))
		switch stage {
		case failure.Receive:
			_, _ = io.WriteString(s.Stdout, frame[:len(frame)-30])
		case failure.Open:
			_, _ = io.WriteString(s.Stdout, frame)
		}
		return sshtest.Hang(ctx, s)
	}
}

func TestDeadlines(t *testing.T) {
	const short = 300 * time.Millisecond
	hangOn := func(word string) func(*sshtest.Options) {
		return func(o *sshtest.Options) {
			run := o.Exec
			o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
				if strings.Contains(s.Command, word) {
					return sshtest.Hang(ctx, s)
				}
				return run(ctx, s)
			}
		}
	}
	for name, test := range map[string]struct {
		server func(*sshtest.Options)
		client sshtest.Handler
		bound  func(*visit.Deadlines)
		stage  failure.Stage
		words  string
	}{
		"handshake": {
			func(o *sshtest.Options) { o.Accept = sshtest.Silent }, nil,
			func(d *visit.Deadlines) { d.Handshake = short }, failure.Handshake, "within 300ms",
		},
		"platform": {
			hangOn("uname"), nil, func(d *visit.Deadlines) { d.Platform = short }, failure.Platform, "it did not end within 300ms",
		},
		"deploy": {
			hangOn("--version"), nil, func(d *visit.Deadlines) { d.Deploy = short }, failure.Deploy, "it did not end within 300ms",
		},
		"run": {
			nil, hangingAt(failure.Run), func(d *visit.Deadlines) { d.Run = short }, failure.Run, "it did not end within 300ms",
		},
		"receive": {
			nil, hangingAt(failure.Receive), func(d *visit.Deadlines) { d.Receive = short },
			failure.Receive, "it did not end within 300ms",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, test.server)
			f.becomes(test.client)
			host := f.host(t)
			test.bound(&host.Deadlines)
			v := f.visitor().Visit(t.Context(), host, sweep)
			wantFailure(t, v, test.stage, failure.Timeout, test.words)
			if last := v.Stages[len(v.Stages)-1]; last.Stage != test.stage || last.Took <= 0 {
				t.Errorf("the last stage was %v", last)
			}
			f.wantNoConnection(t)
			if test.stage != failure.Deploy { // on a busy machine the deadline comes in the middle of the upload
				f.wantNoFile(t)
			}
		})
	}
}

// TestDeadlineOfTheWholeVisit has a visit come as far as it is to: on a machine that stalls that takes more of its time.
func TestDeadlineOfTheWholeVisit(t *testing.T) {
	for name, test := range map[string]struct {
		server func(*sshtest.Options)
		client sshtest.Handler
		stage  failure.Stage
	}{
		"in the handshake": {func(o *sshtest.Options) { o.Accept = sshtest.Silent }, nil, failure.Handshake},
		"in the run":       {nil, hangingAt(failure.Run), failure.Run},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, test.server)
			f.becomes(test.client)
			host := f.host(t)
			v, limit := longer(func(limit time.Duration) *visit.Visit {
				host.Deadlines.Visit = limit
				return f.visitor().Visit(t.Context(), host, sweep)
			}, func(v *visit.Visit) bool { return v.Stages[len(v.Stages)-1].Stage == test.stage })
			wantFailure(t, v, test.stage, failure.Timeout, "the visit did not end within "+limit.String())
			f.wantNoConnection(t)
		})
	}
}

// longer makes a visit that a deadline of one second ends, and again with ever longer ones until it is as wanted, or a
// minute has not been enough. It returns the last visit, and its deadline.
func longer(do func(limit time.Duration) *visit.Visit, wanted func(*visit.Visit) bool) (*visit.Visit, time.Duration) {
	for limit := time.Second; ; limit *= 4 {
		if v := do(limit); wanted(v) || limit > time.Minute {
			return v, limit
		}
	}
}

// The frame is all that a visit waits for: not for the client's end, and not for long at all.
func TestClientThatDoesNotEnd(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(hangingAt(failure.Open))
	wantReport(t, f.visitor().Visit(t.Context(), f.host(t), sweep))
	f.wantNothingLeft(t)
}

// A client that has delivered its report ends by itself, if it takes a moment: told to stop, it would say that the report
// was not delivered, and with the exit status of that.
func TestClientEndsByItself(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		stdin := bufio.NewReader(s.Stdin)
		exit := reporting(nil)(ctx, &sshtest.Session{Home: s.Home, Stdin: stdin, Stdout: s.Stdout, Stderr: s.Stderr})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = io.ReadAll(stdin)
		}()
		select {
		case <-ended:
			exit.Status = 3
		case <-time.After(50 * time.Millisecond):
		}
		return exit
	})
	log, logged := memoryLog()
	v := visit.New(visit.Options{Clients: f.clients, Logger: log}).Visit(t.Context(), f.host(t), sweep)
	wantReport(t, v)
	if strings.Contains(logged(), "did not end well") {
		t.Errorf("a good visit leaves in the log:\n%s", logged())
	}
}

// A client that has delivered its report and does not end is told to stop, and heard to the end.
func TestClientIsToldToStop(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		stdin := bufio.NewReader(s.Stdin)
		exit := reporting(nil)(ctx, &sshtest.Session{Home: s.Home, Stdin: stdin, Stdout: s.Stdout, Stderr: s.Stderr})
		if more, err := io.ReadAll(stdin); err == nil && len(more) == 0 {
			_, _ = io.WriteString(s.Stderr, "told to stop\n")
		}
		return exit
	})
	v := f.visitor().Visit(t.Context(), f.host(t), sweep)
	wantReport(t, v)
	if v.Log != "told to stop" {
		t.Errorf("the log is %q", v.Log)
	}
}

// Whoever listens to a client's log has ended before the visit has, however it ends.
func TestNobodyListensAfterwards(t *testing.T) {
	f := newFake(t, nil)
	visitor, host := f.visitor(), f.host(t)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		f.becomes(func(_ context.Context, s *sshtest.Session) sshtest.Exit {
			_, _ = s.Stderr.Write(make([]byte, 100_000))
			cancel()
			return sshtest.Exit{}
		})
		_ = visitor.Visit(ctx, host, sweep)
		cancel()
		stacks := make([]byte, 1<<20)
		if stacks := string(stacks[:runtime.Stack(stacks, true)]); strings.Contains(stacks, "transcript).listen") {
			t.Fatalf("somebody still listens:\n%s", stacks)
		}
	}
}

func TestCancelled(t *testing.T) {
	f := newFake(t, nil)
	running := make(chan struct{})
	f.becomes(func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		close(running)
		return sshtest.Hang(ctx, s)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var canceller sync.WaitGroup
	canceller.Go(func() { <-running; cancel() })
	v := f.visitor().Visit(ctx, f.host(t), sweep)
	canceller.Wait()
	wantFailure(t, v, failure.Run, failure.Cancelled, "stopped")
	f.wantNothingLeft(t)

	again := f.visitor().Visit(ctx, f.host(t), sweep)
	wantFailure(t, again, failure.Dial, failure.Cancelled)
}

func TestDisconnected(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		f.Disconnect()
		return sshtest.Hang(ctx, s)
	})
	wantFailure(t, f.visitor().Visit(t.Context(), f.host(t), sweep), failure.Run, failure.Disconnected, "lost")
}

func TestDialFailures(t *testing.T) {
	f := newFake(t, nil)
	host := f.host(t)
	wrong := host
	wrong.Password = "wrong"
	v := f.visitor().Visit(t.Context(), wrong, sweep)
	wantFailure(t, v, failure.Authentication, failure.LoginFailed)
	if v.Address != "127.0.0.1:"+strconv.Itoa(host.Port) || v.Host != "web1" {
		t.Errorf("the visit is of %s at %s", v.Host, v.Address)
	}
	_ = f.Close()
	wantFailure(t, f.visitor().Visit(t.Context(), host, sweep), failure.Dial, failure.Refused)
}
