package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/queue"
)

// until waits for a state. The queue looks at itself once a second.
func until(t *testing.T, q *queue.Queue, what string, holds func(queue.State) bool) queue.State {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		s := q.State()
		if holds(s) {
			return s
		}
		if err := q.Look(ctx); err != nil {
			t.Fatalf("%s: %v; the state is %+v", what, err, s)
		}
	}
}

func TestADiskThatIsNearlyFullRefusesReports(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	o := options(t)
	o.FreeSpace = func(string) (uint64, error) { return free.Load(), nil }
	q := open(t, o)
	put(t, q, 0, 2)
	free.Store(100 << 20)
	until(t, q, "full", func(s queue.State) bool { return s.Full })
	err := q.Put(t.Context(), entry(2))
	if !errors.Is(err, queue.ErrFull) || !strings.Contains(err.Error(), "100 MiB left") {
		t.Fatal(err)
	}
	marker := entry(3)
	marker.Vital = true
	if err := q.Put(t.Context(), marker); err != nil {
		t.Fatalf("a vital entry: %v", err)
	}
	if s := q.State(); s.Refused != 1 {
		t.Fatalf("refused: %d", s.Refused)
	}
	free.Store(1 << 40)
	until(t, q, "room", func(s queue.State) bool { return !s.Full })
	put(t, q, 4, 5)
	if got := strings.Join(take(t, reader(t, q, "store"), 4), " "); got != "0 1 3 4" {
		t.Fatalf("read %s", got)
	}
}

func testTooManyBytesRefuseReportsUntilTheyAreDone(t *testing.T, o queue.Options) {
	o.Size = 100 << 10
	q := open(t, o)
	taken := 0
	for ; taken < 50; taken++ {
		err := q.Put(t.Context(), queue.Entry{Kind: "visit", ID: fmt.Sprint(taken), Data: noise(uint64(taken), 20<<10)})
		if errors.Is(err, queue.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if taken < 4 || taken > 6 {
		t.Fatalf("%d entries of 20 KiB fit into 100 KiB", taken)
	}
	for _, name := range []string{"store", "alert"} {
		r := reader(t, q, name)
		for done := 0; done < taken; {
			entries, err := r.Next(t.Context(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			done += len(entries)
			if err := r.Done(t.Context(), entries[len(entries)-1].Position); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := until(t, q, "room", func(s queue.State) bool { return !s.Full })
	if s.Bytes != 0 {
		t.Fatalf("%d bytes are left of what everybody is done with", s.Bytes)
	}
	put(t, q, 90, 91)
}

func testWhatWaitsTooLongRefusesReports(t *testing.T, o queue.Options) {
	var ahead atomic.Int64
	o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	q := open(t, o)
	put(t, q, 0, 1)
	ahead.Store(int64(6 * 24 * time.Hour))
	if err := q.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, q, 1, 2)
	ahead.Store(int64(7*24*time.Hour + time.Minute))
	until(t, q, "full", func(s queue.State) bool { return s.Full })
	if err := q.Put(t.Context(), entry(2)); !errors.Is(err, queue.ErrFull) {
		t.Fatal(err)
	}
	take(t, reader(t, q, "store"), 2)
	take(t, reader(t, q, "alert"), 2)
	until(t, q, "room", func(s queue.State) bool { return !s.Full })
}

func testDeadLetters(t *testing.T, o queue.Options) {
	q := open(t, o)
	for n := range 3 {
		if err := q.Bury(t.Context(), entry(n), "a reason\nof two lines"); err != nil {
			t.Fatal(err)
		}
	}
	q.Close()
	q = open(t, o)
	dead, err := q.DeadLetters(t.Context(), 2)
	if err != nil || len(dead) != 2 || dead[1].ID != "1" || dead[0].Reason != `a reason\nof two lines` || dead[0].Buried.IsZero() {
		t.Fatalf("%+v, %v", dead, err)
	}
	if s := q.State(); s.Dead != 3 {
		t.Fatalf("state: %+v", s)
	}
	if n, err := q.Retry(t.Context()); n != 3 || err != nil {
		t.Fatalf("put back: %d, %v", n, err)
	}
	if got := strings.Join(take(t, reader(t, q, "store"), 3), " "); got != numbers(0, 3) {
		t.Fatalf("put back: %s", got)
	}
	if dead, err := q.DeadLetters(t.Context(), 10); len(dead) != 0 || err != nil {
		t.Fatalf("left: %v, %v", dead, err)
	}
	if n, err := q.Retry(t.Context()); n != 0 || err != nil {
		t.Fatalf("put back again: %d, %v", n, err)
	}
}

func testTablesKeepWhatWasPutLast(t *testing.T, o queue.Options) {
	q := open(t, o)
	table := q.Table("alerts")
	if all, err := table.All(t.Context()); len(all) != 0 || err != nil {
		t.Fatalf("a new table: %v, %v", all, err)
	}
	for key, value := range map[string]string{"a": "1", "b": "2", "c.d_e-f=": "3"} {
		if err := table.Put(t.Context(), key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		table.Put(t.Context(), "a", []byte("9")), table.Delete(t.Context(), "b"), table.Delete(t.Context(), "never"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	q.Close()
	q = open(t, o)
	all, err := q.Table("alerts").All(t.Context())
	if err != nil || len(all) != 2 || string(all["a"]) != "9" || string(all["c.d_e-f="]) != "3" {
		t.Fatalf("%q, %v", all, err)
	}
	if all, err := q.Table("other").All(t.Context()); len(all) != 0 || err != nil {
		t.Fatalf("another table: %v, %v", all, err)
	}
}

func testAClosedQueueRefuses(t *testing.T, o queue.Options) {
	q := open(t, o)
	q.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := q.Put(ctx, entry(1)); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("Put: %v", err)
	}
	if err := q.Table("alerts").Put(ctx, "a", nil); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("Table.Put: %v", err)
	}
	if err := q.Bury(ctx, entry(1), ""); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("Bury: %v", err)
	}
}
