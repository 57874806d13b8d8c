package controller

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"muster/internal/failure"
	"muster/internal/queue"
	"muster/internal/visit"
)

// The rows that the store gets are what the visits were.
func TestVisitsAreKeptAsTheyWere(t *testing.T) {
	started := time.Now()
	v := &visit.Visit{
		ID: "v", Host: "web1", Sweep: started, Started: started, Address: "web1:22", Took: time.Second, Sent: 1, Received: 2,
		Uploaded: true, Log: "log", Stages: []visit.Timing{{Stage: failure.Dial, Took: 1}, {Stage: failure.Run, Took: 2}, {Stage: failure.Dial, Took: 3}},
		Failure: &failure.Error{Host: "web1", Stage: failure.Dial, Kind: failure.Refused, Err: errors.New("connection refused")},
	}
	got := rowOf(v, "web/front")
	if got.ID != "v" || got.Host != "web1" || got.Groups != "web/front" || got.Address != "web1:22" || got.Took != time.Second ||
		got.Sent != 1 || got.Received != 2 || !got.Uploaded || got.Log != "log" || got.Stages["dial"] != 4 || got.Stages["run"] != 2 ||
		got.Stage != "dial" || got.Kind != "refused" || got.Error != "connection refused" || got.Advice != failure.Refused.Advice() ||
		got.Report != nil || got.Skipped || !got.Sweep.Equal(started) || !got.Started.Equal(started) {
		t.Errorf("row: %+v", got)
	}
	for _, kind := range []failure.Kind{failure.Busy, failure.Cancelled, failure.Backoff} {
		v.Failure = failure.New(failure.Dial, kind, errors.New("no news"))
		if got := rowOf(v, "web/front"); !got.Skipped || got.Kind != string(kind) {
			t.Errorf("row: %+v, want that it says nothing of its host", got)
		}
	}
}

func TestWhatTheQueueRefusesIsCounted(t *testing.T) {
	c, _, h := newTestController(t, 3, 3)
	c.keeper.queue = &fakeQueue{full: queue.ErrFull}
	s, err := c.sweep(t.Context(), now(c))
	if !errors.Is(err, errUnkept) || !errors.Is(err, queue.ErrFull) || s.Unkept != 3 || s.Visited != 3 {
		t.Errorf("sweep = %+v, %v", s, err)
	}
	if c.behind.(*fakeFollower).unkept.Load() != 3 || len(h.visits) != 3 {
		t.Errorf("%d visits are told to be lost, %d observed", c.behind.(*fakeFollower).unkept.Load(), len(h.visits))
	}
}

// A sweep's beginning and end are kept around its visits.
func TestTheOrderInTheQueue(t *testing.T) {
	c, _, _ := newTestController(t, 3, 3)
	q := &orderedQueue{}
	c.keeper.queue = q
	if _, err := c.sweep(t.Context(), now(c)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"sweep vital", "visit", "visit", "visit", "sweep vital"}; !slices.Equal(q.put, want) {
		t.Errorf("put: %v, want %v", q.put, want)
	}
}

// orderedQueue notes what is put.
type orderedQueue struct {
	mu  sync.Mutex
	put []string
}

func (q *orderedQueue) Put(_ context.Context, entries ...queue.Entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range entries {
		what := e.Kind
		if e.Vital {
			what += " vital"
		}
		q.put = append(q.put, what)
	}
	return nil
}
