package recorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/report"
	"muster/internal/store"
)

// inBubble runs a test with a recorder that runs on a world until the test ends. A goroutine that is left would keep the
// bubble from ending.
func inBubble(t *testing.T, w func(*testing.T) *world, test func(*testing.T, *world, *Recorder, *bytes.Buffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		world, log := w(t), new(bytes.Buffer)
		r := world.process().recorder(slog.New(slog.NewTextHandler(log, nil)))
		stop := start(r)
		defer stop()
		test(t, world, r, log)
	})
}

// three returns a world in which three visits wait.
func three(t *testing.T) *world {
	w := newWorld()
	for i := range 3 {
		w.visit(t, fmt.Sprint("v", i))
	}
	return w
}

func (w *world) wantStored(t *testing.T, ids ...string) {
	t.Helper()
	stored := w.stored()
	for _, id := range ids {
		if stored[id] != 1 {
			t.Errorf("%s is stored %d times", id, stored[id])
		}
	}
	if len(stored) != len(ids) {
		t.Errorf("stored: %v, want %v", stored, ids)
	}
}

func TestVisitsAndSweepsAreStored(t *testing.T) {
	inBubble(t, three, func(t *testing.T, w *world, r *Recorder, log *bytes.Buffer) {
		w.sweep(t, noon, time.Time{})
		w.sweep(t, noon, noon.Add(time.Second))
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.wantStored(t, "v0", "v1", "v2")
		want := store.Sweep{Time: noon, Started: noon, Ended: noon.Add(time.Second), Hosts: 3, Visited: 2, Failed: 1}
		if got := w.sweeps[noon.UnixMilli()]; got != want {
			t.Errorf("sweep = %+v, want %+v", got, want)
		}
		if s := r.State(); s.Visits != 3 || s.Rows != 6 || s.Batches == 0 || !s.Away.IsZero() || s.Reason != nil || s.Buried != 0 {
			t.Errorf("state: %+v", s)
		}
		if w.done != 5 {
			t.Errorf("the queue is done up to %d of 5", w.done)
		}
	})
}

func TestWhatIsStoredIsWhatWasPut(t *testing.T) {
	v := entry.Visit{
		ID: "v", Host: "web1", Sweep: noon, Started: noon, Groups: "web/front", Stage: "dial", Kind: "refused",
		Error: "connection refused", Advice: "start sshd", Stages: map[string]time.Duration{"dial": time.Second},
	}
	data, err := entry.EncodeVisit(&v)
	if err != nil {
		t.Fatal(err)
	}
	b := decode([]queue.Entry{{Kind: entry.KindVisit, Data: data}, {Kind: entry.KindStoreVisit, Data: data}}, batchSize)
	if len(b.visits) != 2 || len(b.refused) != 0 {
		t.Fatalf("batch: %+v", b)
	}
	for _, got := range b.visits {
		if fmt.Sprintf("%+v", got.value) != fmt.Sprintf("%+v", v) {
			t.Errorf("got %+v, want %+v", got.value, v)
		}
	}
}

func TestBatchesGrowWithTheBacklog(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := newWorld()
		for i := range 1200 {
			w.visit(t, fmt.Sprint("v", i))
		}
		large := make([]report.Statistic, 100)
		for i := range large {
			large[i] = report.Statistic{Name: "s", Instance: strings.Repeat("i", 1000), Unit: "1", Kind: report.Gauge, Value: float64(i)}
		}
		for i := range 200 { // 100 KiB each
			data, err := entry.EncodeVisit(&entry.Visit{ID: fmt.Sprint("l", i), Host: "h", Sweep: noon, Started: noon, Report: &report.Report{Statistics: large}})
			if err != nil {
				t.Fatal(err)
			}
			w.add(queue.Entry{Kind: entry.KindVisit, Data: data})
		}
		return w
	}, func(t *testing.T, w *world, r *Recorder, _ *bytes.Buffer) {
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(w.stored()); n != 1400 {
			t.Errorf("%d visits are stored, want 1400", n)
		}
		if w.sizes[0] < 1200 {
			t.Errorf("batches of %v, want the small visits in one", w.sizes)
		}
		if len(w.sizes) < 3 {
			t.Errorf("batches of %v: the large ones are %d MiB together", w.sizes, 20)
		}
	})
}

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

func TestSettleCutsTheWaitShort(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := three(t)
		w.set(errAway)
		return w
	}, func(t *testing.T, w *world, r *Recorder, _ *bytes.Buffer) {
		<-time.After(10*time.Minute + time.Second)
		w.set(nil)
		before := time.Now()
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(before); waited != 0 {
			t.Errorf("waited for %v", waited)
		}
		w.wantStored(t, "v0", "v1", "v2")
	})
}

func TestSettleEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := three(t)
		w.slow = func(ctx context.Context) { <-ctx.Done() } // a database that does not answer
		return w
	}, func(t *testing.T, w *world, r *Recorder, _ *bytes.Buffer) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Settle = %v, want that its time is over", err)
		}
	})
}

func TestSettleWithNothingToDo(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := newWorld()
		w.set(errAway)
		return w
	}, func(t *testing.T, _ *world, r *Recorder, _ *bytes.Buffer) {
		if err := r.Settle(t.Context()); err != nil {
			t.Errorf("Settle = %v, and nothing waits", err)
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

func TestOneVisitIsGivenUpNotTheBatch(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := three(t)
		w.poison["v1"] = true
		return w
	}, func(t *testing.T, w *world, r *Recorder, log *bytes.Buffer) {
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.wantStored(t, "v0", "v2")
		if got := w.buried(); !slices.Equal(got, []string{"visit to store v1: visit v1: value out of range"}) {
			t.Errorf("buried: %q", got)
		}
		if s := r.State(); s.Buried != 1 || s.Visits != 2 || s.Rows != 4 || !s.Away.IsZero() {
			t.Errorf("state: %+v", s)
		}
		if !strings.Contains(log.String(), "id=v1") || !strings.Contains(log.String(), "value out of range") {
			t.Errorf("the log does not say what became of v1:\n%s", log)
		}
		// What is put back is stored, once the database takes it.
		w.mu.Lock()
		w.poison = make(map[string]bool)
		dead := w.dead[0]
		w.mu.Unlock()
		w.add(queue.Entry{Kind: dead.Kind, ID: dead.ID, Data: dead.Data})
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantStored(t, "v0", "v1", "v2")
	})
}

func TestPoisonAloneIsGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := newWorld()
		w.poison["v0"] = true
		w.visit(t, "v0")
		return w
	}, func(t *testing.T, w *world, r *Recorder, _ *bytes.Buffer) {
		if err := r.Settle(t.Context()); err != nil || len(w.dead) != 1 {
			t.Errorf("Settle = %v, buried: %q", err, w.buried())
		}
	})
}

func TestNothingIsGivenUpThatTheDatabaseRefusesWhole(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := three(t)
		w.sweep(t, noon, noon)
		w.away = func(call int) error {
			if call == 1 {
				return nil // it opens
			}
			return errTable
		}
		return w
	}, func(t *testing.T, w *world, r *Recorder, _ *bytes.Buffer) {
		if err := r.Settle(t.Context()); !errors.Is(err, errTable) {
			t.Errorf("Settle = %v, want what the database says", err)
		}
		<-time.After(time.Minute)
		if s := r.State(); s.Away.IsZero() || !errors.Is(s.Reason, errTable) {
			t.Errorf("state: %+v", s)
		}
		w.set(nil)
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantStored(t, "v0", "v1", "v2")
		if len(w.dead) != 0 || len(w.sweeps) != 1 {
			t.Errorf("buried: %q, sweeps: %v", w.buried(), w.sweeps)
		}
	})
}

func TestWhatCantBeReadIsADeadLetter(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := newWorld()
		w.add(queue.Entry{Kind: entry.KindVisit, ID: "a", Data: []byte{9}})
		w.add(queue.Entry{Kind: entry.KindSweep, ID: "b", Data: nil})
		w.add(queue.Entry{Kind: "log", ID: "c", Data: []byte{1}})
		w.visit(t, "v0")
		return w
	}, func(t *testing.T, w *world, r *Recorder, _ *bytes.Buffer) {
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantStored(t, "v0")
		got := w.buried()
		if len(got) != 3 || !strings.HasPrefix(got[0], "visit to store a: ") || !strings.Contains(got[0], "its version is 9") ||
			!strings.HasPrefix(got[1], "sweep to store b: ") || !strings.HasPrefix(got[2], "log c: ") || !strings.Contains(got[2], `"log"`) {
			t.Errorf("buried: %q", got)
		}
	})
}

func TestGraveyardThatIsFullForNow(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := three(t)
		w.poison["v1"], w.poison["v2"] = true, true
		w.fate = func(step int) outage {
			if step == 2 || step == 4 { // the first burial, and the second
				return failsBefore
			}
			return none
		}
		return w
	}, func(t *testing.T, w *world, r *Recorder, _ *bytes.Buffer) {
		<-time.After(time.Minute)
		w.wantStored(t, "v0")
		if len(w.dead) != 2 || r.State().Buried != 2 || w.done != 3 {
			t.Errorf("buried: %q, state %+v, done %d", w.buried(), r.State(), w.done)
		}
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

// A recorder that is stopped with a batch in hand, since the database is another one, say, begins with it again.
func TestWhatWasBegunIsDoneByTheNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t)
		w.away = func(call int) error {
			if call == 1 {
				return nil // it opens, and is away from then on
			}
			return errAway
		}
		r := w.process().recorder(nil)
		stop := start(r)
		synctest.Wait() // it holds three visits
		stop()
		w.wantStored(t)
		w.set(nil)
		w.visit(t, "v3")
		stop = start(r)
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		w.wantStored(t, "v0", "v1", "v2", "v3")
	})
}

func TestLogRecordsAreStored(t *testing.T) {
	inBubble(t, three, func(t *testing.T, w *world, r *Recorder, log *bytes.Buffer) {
		w.part(t, "p1", 1)
		w.part(t, "p2", 6)
		w.part(t, "p2", 6) // delivered twice
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(w.logs) != 10 || w.cursor["web1 journal 1"] != 10 {
			t.Errorf("stored: %v, the cursors are %v", w.logs, w.cursor)
		}
		w.wantStored(t, "v0", "v1", "v2")
		if s := r.State(); s.Records != 15 || s.Visits != 3 || s.Buried != 0 {
			t.Errorf("state: %+v", s)
		}
		if !strings.Contains(log.String(), "log records stored") || !strings.Contains(log.String(), "records=") {
			t.Errorf("the log does not tell of them:\n%s", log)
		}
	})
}

// Logs that can never be stored keep back neither other logs nor visits, and come back when somebody puts them back.
func TestOnePartOfLogsIsGivenUpNotTheBatch(t *testing.T) {
	inBubble(t, func(t *testing.T) *world {
		w := newWorld()
		w.poison["p2"] = true
		w.part(t, "p1", 1)
		w.part(t, "p2", 6)
		w.add(queue.Entry{Kind: entry.KindLogs, ID: "p3", Data: []byte{9}})
		w.part(t, "p4", 11)
		w.visit(t, "v0")
		return w
	}, func(t *testing.T, w *world, r *Recorder, _ *bytes.Buffer) {
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.wantStored(t, "v0")
		if len(w.logs) != 10 || w.logs["web1 journal 1 15"] != 1 {
			t.Errorf("stored: %v", w.logs)
		}
		got := w.buried()
		slices.Sort(got)
		if len(got) != 2 || got[0] != `logs to store p2: log records of visit "p2" name no host` ||
			!strings.HasPrefix(got[1], "logs to store p3: the entry can't be read") {
			t.Errorf("buried: %q", got)
		}
		w.mu.Lock()
		w.poison = make(map[string]bool)
		dead := w.dead[slices.IndexFunc(w.dead, func(e queue.Entry) bool { return e.ID == "p2" })]
		w.mu.Unlock()
		w.add(queue.Entry{Kind: dead.Kind, ID: dead.ID, Data: dead.Data})
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(w.logs) != 15 {
			t.Errorf("stored: %v", w.logs)
		}
	})
}
