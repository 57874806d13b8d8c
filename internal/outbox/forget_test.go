package outbox

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/mail"
)

func TestForgetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		s.does(func(m mail.Message) *mail.Error {
			if strings.HasPrefix(m.To, "refused") {
				return failure(mail.StepRecipient, 550)
			}
			return nil
		})
		o := open(t, table, s)
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		post(t, o, Accepted, digest("refused@example.org", sweep1, "a"))
		stop := run(o)
		synctest.Wait()
		s.does(away)
		post(t, o, Accepted, digest("waits@example.org", sweep1, "a"))
		for _, step := range []struct {
			after         time.Duration
			sent, refused bool
		}{{KeepSent - 2*forgetEvery, true, true}, {4 * forgetEvery, false, true},
			{KeepRefused - KeepSent - 4*forgetEvery, false, true}, {4 * forgetEvery, false, false}} {
			time.Sleep(step.after)
			synctest.Wait()
			if o.Has("ops@example.org", sweep1) != step.sent || o.Has("refused@example.org", sweep1) != step.refused {
				t.Errorf("after %v: %d records", step.after, table.size())
			}
		}
		if !o.Waiting("waits@example.org") || table.size() != 1 {
			t.Errorf("%d records", table.size())
		}
		stop()
	})
}

// What is remembered is bounded, whatever the news; the newest stays.
func TestReceiverWithManyLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		o := open(t, table, s)
		stop := run(o)
		const letters = 3*KeepPerReceiver + 1
		at := func(i int) time.Time { return sweep1.Add(time.Duration(i) * time.Minute) }
		for i := range letters {
			if i == letters/2 { // the disk is full for a while
				table.failDelete(errTable)
			}
			post(t, o, Accepted, digest("ops@example.org", at(i), fmt.Sprint(i)))
			flush(t, o)
		}
		if table.size() <= KeepPerReceiver {
			t.Errorf("%d records", table.size())
		}
		table.failDelete(nil)
		time.Sleep(forgetSoon)
		synctest.Wait()
		stop()
		if table.size() != KeepPerReceiver {
			t.Errorf("%d records", table.size())
		}
		for i := range letters {
			if o.Has("ops@example.org", at(i)) != (i >= letters-KeepPerReceiver) {
				t.Errorf("letter %d is the wrong one to keep or to forget", i)
			}
		}
		o = open(t, table, s) // another process knows the oldest too
		stop = run(o)
		post(t, o, Accepted, digest("ops@example.org", at(letters), "last"))
		flush(t, o)
		synctest.Wait()
		stop()
		if o.Has("ops@example.org", at(letters-KeepPerReceiver)) || !o.Has("ops@example.org", at(letters-KeepPerReceiver+1)) {
			t.Error("the wrong letter is forgotten")
		}
	})
}

// slowTable is a table that lets its users wait.
type slowTable struct {
	*memory
	gate atomic.Pointer[chan struct{}] // nil: open
}

// shut makes those who write wait until the function that it returns is called.
func (s *slowTable) shut() (release func()) {
	gate := make(chan struct{})
	s.gate.Store(&gate)
	return func() { close(gate) }
}

func (s *slowTable) pass() {
	if gate := s.gate.Load(); gate != nil {
		<-*gate
	}
}

func (s *slowTable) Delete(ctx context.Context, key string) error {
	s.pass()
	return s.memory.Delete(ctx, key)
}

func (s *slowTable) Put(ctx context.Context, key string, value []byte) error {
	s.pass()
	return s.memory.Put(ctx, key, value)
}

// A record that is old is not forgotten while a letter takes its place: the letter would be forgotten with it.
func TestForgettingLeavesWhatIsBeingPosted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := &slowTable{memory: newMemory()}, newServer()
		o := open(t, table, s)
		stop := run(o)
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		flush(t, o)
		release := table.shut()
		posted := make(chan error)
		go func() {
			_, err := o.Post(t.Context(), digest("ops@example.org", sweep1, "b"))
			posted <- err
		}()
		time.Sleep(KeepSent + 2*forgetEvery)
		if table.size() != 1 {
			t.Error("it is forgotten")
		}
		release()
		if err := <-posted; err != nil {
			t.Fatal(err)
		}
		flush(t, o)
		stop()
		if s.count() != 2 || !open(t, table, s).Has("ops@example.org", sweep1) {
			t.Errorf("%d mails", s.count())
		}
	})
}

// A letter is not put where one is being deleted: it would be deleted with it.
func TestPostLeavesWhatIsBeingForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := &slowTable{memory: newMemory()}, newServer()
		o := open(t, table, s)
		stop := run(o)
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		flush(t, o)
		release := table.shut()
		time.Sleep(KeepSent + 2*forgetEvery)
		post(t, o, Known, digest("ops@example.org", sweep1, "a"))
		post(t, o, Deferred, digest("ops@example.org", sweep1, "b"))
		release()
		synctest.Wait()
		if table.size() != 0 {
			t.Error("it is not forgotten")
		}
		post(t, o, Accepted, digest("ops@example.org", sweep1, "b"))
		flush(t, o)
		stop()
		if s.count() != 2 {
			t.Errorf("%d mails", s.count())
		}
	})
}
