package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/client"
	"muster/internal/client/stats"
)

func TestASourceThatHangsCostsOneFailure(t *testing.T) {
	for name, c := range map[string]struct {
		deadline, want time.Duration
	}{
		"the default deadline":  {0, 5 * time.Second},
		"a short deadline":      {2 * time.Second, 500 * time.Millisecond},
		"an unhurried deadline": {time.Hour, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pass{request: newRequest(), sources: []stats.Source{hangs(t, "disk"), gives("load", load(1)), hangs(t, "net")}}
				p.request.Deadline = c.deadline
				began := time.Now()
				r := p.run(t)
				if took := time.Since(began); took != c.want {
					t.Errorf("it took %v, want %v", took, c.want)
				}
				want := fmt.Sprintf("disk: no answer within %v\nnet: no answer within %v", c.want, c.want)
				if len(r.Statistics) != 1 || failuresOf(r) != want {
					t.Errorf("got %+v and %s", r.Statistics, failuresOf(r))
				}
			})
		})
	}
}

func TestTheEndOfStandardInputStopsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pass{request: newRequest(), sources: []stats.Source{hangs(t, "disk"), gives("load", load(1))}}
		ended := p.start(t, t.Context())
		synctest.Wait() // it waits for the source that hangs
		began := time.Now()
		p.server.Close()
		if err := <-ended; !errors.Is(err, client.ErrStopped) || !strings.Contains(err.Error(), "standard input") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		synctest.Wait() // for what it may have left running
		if p.out.Len() > 0 {
			t.Errorf("it wrote %q", p.out.String())
		}
	})
}

func TestTheEndOfItsContextStopsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		p := &pass{request: newRequest(), sources: []stats.Source{hangs(t, "disk")}}
		ended := p.start(t, ctx)
		synctest.Wait()
		signal := errors.New("terminated")
		cancel(signal)
		if err := <-ended; !errors.Is(err, client.ErrStopped) || !errors.Is(err, signal) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNoRequestComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pass{}
		began := time.Now()
		if err := <-p.start(t, t.Context()); !errors.Is(err, client.ErrDeadline) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != client.DefaultDeadline {
			t.Errorf("it took %v", took)
		}
	})
}

// A server that does not read leaves the client in a write that never ends.
func TestTheDeadlineEndsAWriteThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked, writer := io.Pipe()
		defer blocked.Close()
		p := &pass{request: newRequest(), sources: []stats.Source{gives("load", load(1))}, stdout: writer, folder: t.TempDir()}
		p.request.Deadline = 3 * time.Second
		p.request.File = "report.bin"
		began := time.Now()
		if err := <-p.start(t, t.Context()); !errors.Is(err, client.ErrDeadline) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		if left, err := os.ReadDir(p.folder); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
}
