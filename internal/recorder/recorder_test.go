package recorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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
