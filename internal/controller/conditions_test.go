package controller

import (
	"errors"
	"strings"
	"testing"
	"time"

	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/watch"
)

// TestTheServerItselfIsMailedAbout has a database that goes away, and a queue that fills up by it.
func TestTheServerItselfIsMailedAbout(t *testing.T) {
	r := newRig(t)
	unblock := r.blockDatabase()
	c := r.open()
	p := c.behind.(*pipeline)
	stop := p.start()
	closed := false
	defer func() {
		if !closed {
			stop()
			r.close(c)
		}
	}()
	sweep := func() (Summary, error) {
		s, err := c.sweep(t.Context(), now(c))
		if failed := errors.Join(p.watch.Settle(t.Context()), p.parts.Load().outbox.Flush(t.Context())); failed != nil {
			t.Fatal(failed)
		}
		return s, err
	}
	r.log.wait("database is not available")
	if _, err := sweep(); err != nil { // it is away, but only for seconds
		t.Fatal(err)
	}
	if got := r.mails(0); len(got) != 0 {
		t.Errorf("mails: %q", got)
	}
	r.later(2 * time.Minute)
	if _, err := sweep(); err != nil {
		t.Fatal(err)
	}
	if got := r.mails(0); len(got) != 1 || !strings.Contains(got[0], "all@example.org") {
		t.Fatalf("mails: %q, want that the database is away", got)
	}
	r.later(time.Minute)
	if _, err := sweep(); err != nil {
		t.Fatal(err)
	}
	if got := r.mails(1); len(got) != 0 {
		t.Errorf("mails: %q, want no more of the same", got)
	}

	// The queue is full.
	fullQueue(t, r, c, &stop)
	p = c.behind.(*pipeline)
	r.later(time.Minute)
	s, err := sweep()
	if !errors.Is(err, errUnkept) || !errors.Is(err, queue.ErrFull) || !errors.Is(err, ErrUnusable) || s.Unkept != 3 {
		t.Errorf("sweep = %+v, %v, want that no visit could be kept", s, err)
	}
	if got := r.mails(1); len(got) != 1 {
		t.Fatalf("mails: %q, want that reports are refused", got)
	}
	body := string(r.post.Mails()[1].Data)
	for _, name := range []string{watch.ReportsRefused, watch.QueueUsage} {
		if !strings.Contains(body, name) {
			t.Errorf("the mail lacks %s:\n%s", name, body)
		}
	}

	// All is well again.
	unblock()
	if err := errors.Join(p.recorder.Settle(t.Context()), p.queue.Look(t.Context())); err != nil {
		t.Fatal(err)
	}
	r.later(time.Minute)
	if s, err := sweep(); err != nil || s.Unkept != 0 {
		t.Fatalf("sweep = %+v, %v", s, err)
	}
	got := r.mails(2)
	if len(got) != 1 || !strings.Contains(got[0], "over") {
		t.Fatalf("mails: %q, want one that all is over", got)
	}
	if err := p.recorder.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed = true
	stop()
	r.close(c)
	if got := r.query("SELECT count(*) FROM visits"); got != 12 {
		t.Errorf("%d visits are stored, want those of four sweeps of five", got)
	}
}

// fullQueue starts everything behind the visits again with a queue that may hold what it holds, of some sweeps, and no more.
func fullQueue(t *testing.T, r *rig, c *Controller, stop *func()) {
	t.Helper()
	(*stop)()
	q := c.behind.(*pipeline).queue
	if err := q.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.config.Queue.Size = q.State().Bytes
	r.close(c)
	again := r.open()
	p := again.behind.(*pipeline)
	c.plan.Store(again.plan.Load())
	c.visitor, c.keeper, c.behind, c.observers, c.closers = r, again.keeper, p, again.observers, again.closers
	*stop = p.start()
	r.log.wait("queue is full")
}

func TestDeadLettersAreMailedAboutUntilThereAreNone(t *testing.T) {
	r := newRig(t)
	r.mustRun()
	c := r.open()
	p := c.behind.(*pipeline)
	if err := p.queue.Bury(t.Context(), queue.Entry{Kind: entry.KindStoreSweep, ID: "x"}, "why"); err != nil {
		t.Fatal(err)
	}
	if err := p.queue.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.close(c)
	for i, want := range []int{1, 1} {
		r.later(time.Minute)
		r.mustRun()
		if got := r.mails(0); len(got) != want {
			t.Fatalf("run %d: mails: %q, want %d", i, got, want)
		}
	}
	if body := string(r.post.Mails()[0].Data); !strings.Contains(body, watch.DeadLetters) {
		t.Errorf("the mail lacks %s:\n%s", watch.DeadLetters, body)
	}
}
