package recorder

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/queue"
	"muster/internal/store"
)

func TestADatabaseThatIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := three(t)
		w.set(errAway)
		return w
	}, func(t *testing.T, w *world, r *Recorder, log *bytes.Buffer) {
		if err := r.Settle(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("Settle = %v, want why not", err)
		}
		<-time.After(10 * time.Minute)
		if s := r.State(); time.Since(s.Away) != 10*time.Minute || !errors.Is(s.Reason, store.ErrUnavailable) || s.Visits != 0 {
			t.Errorf("state: %+v", s)
		}
		if w.calls > 40 {
			t.Errorf("the database was asked %d times in 10 minutes", w.calls)
		}
		w.set(nil)
		<-time.After(retryMost) // the next attempt comes at the latest now
		synctest.Wait()
		w.wantStored(t, "v0", "v1", "v2")
		if s := r.State(); !s.Away.IsZero() || s.Reason != nil || s.Visits != 3 {
			t.Errorf("state: %+v", s)
		}
		w.set(errAway) // and once more
		w.visit(t, "v3")
		synctest.Wait()
		if s := r.State(); time.Since(s.Away) != 0 {
			t.Errorf("state: %+v", s)
		}
		w.set(nil)
		if err := r.Settle(t.Context()); err != nil {
			t.Errorf("Settle = %v", err)
		}
		synctest.Wait()
		w.wantStored(t, "v0", "v1", "v2", "v3")
		for _, want := range []string{"database is not available", "waiting=3 oldest=2026-01-02T03:04:05.000Z", "available again"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, log)
			}
		}
	})
}

func TestAQueueThatIsAwayIsNoDatabaseThatIs(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := three(t)
		w.fate = func(step int) outage {
			if step > 1 && step < 10 {
				return failsBefore // Done
			}
			return none
		}
		return w
	}, func(t *testing.T, w *world, r *Recorder, _ *bytes.Buffer) {
		if err := r.Settle(t.Context()); !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("Settle = %v, want that the queue could not be used", err)
		}
		if s := r.State(); !s.Away.IsZero() {
			t.Errorf("state: %+v", s)
		}
		<-time.After(10 * time.Minute)
		synctest.Wait()
		if s := r.State(); s.Visits != 3 || w.done != 3 {
			t.Errorf("state: %+v, done %d", s, w.done)
		}
		w.wantStored(t, "v0", "v1", "v2") // and written once
	})
}

func TestAQueueThatCantBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t)
		p := w.process()
		p.unreadable = errQueue
		r := p.recorder(nil)
		stop := start(r)
		defer stop()
		synctest.Wait()
		if err := r.Settle(t.Context()); !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("Settle = %v", err)
		}
		w.mu.Lock()
		p.unreadable = nil
		w.mu.Unlock()
		<-time.After(retryFirst)
		if err := r.Settle(t.Context()); err != nil {
			t.Error(err)
		}
		w.wantStored(t, "v0", "v1", "v2")
	})
}

func TestRunEndsWhileTheDatabaseIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, opened := range []bool{false, true} {
			w := three(t)
			w.away = func(call int) error {
				if opened && call == 1 {
					return nil
				}
				return errAway
			}
			stop := start(w.process().recorder(nil))
			<-time.After(time.Second)
			stop()
			if w.done != 0 {
				t.Errorf("done up to %d", w.done)
			}
		}
	})
}
