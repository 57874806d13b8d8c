package recorder

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/entry"
	"muster/internal/queue"
)

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
