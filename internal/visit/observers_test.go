package visit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"muster/internal/failure"
	"muster/internal/visit"
)

// noting is an observer that notes what it is told, and at the end waits until all of them have been told.
type noting struct {
	name  string
	mu    *sync.Mutex
	notes *[]string
	ended *sync.WaitGroup
	err   error
}

func (n noting) note(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*n.notes = append(*n.notes, n.name+" "+what)
}

func (n noting) SweepStarted(_ context.Context, s visit.Sweep) {
	n.note(fmt.Sprint("started ", s.Hosts))
}
func (n noting) Visited(_ context.Context, v *visit.Visit) { n.note("visited " + v.Host) }
func (n noting) SweepEnded(context.Context, visit.Sweep) error {
	n.note("ended")
	n.ended.Done()
	n.ended.Wait()
	return n.err
}

func TestObservers(t *testing.T) {
	var notes []string
	var mu sync.Mutex
	var ended sync.WaitGroup
	first, third := errors.New("first"), errors.New("third")
	observers := visit.Observers{
		noting{"a", &mu, &notes, &ended, first}, noting{"b", &mu, &notes, &ended, nil},
		noting{"c", &mu, &notes, &ended, third},
	}
	ended.Add(len(observers))
	sweep := visit.Sweep{Hosts: 7}
	observers.SweepStarted(t.Context(), sweep)
	observers.Visited(t.Context(), &visit.Visit{Host: "web1"})
	err := observers.SweepEnded(t.Context(), sweep)
	if !errors.Is(err, first) || !errors.Is(err, third) {
		t.Errorf("got %v, want both errors", err)
	}
	want := []string{
		"a started 7", "b started 7", "c started 7", "a visited web1", "b visited web1", "c visited web1",
		"a ended", "b ended", "c ended", // these in any order
	}
	slices.Sort(notes[6:])
	if !slices.Equal(notes, want) {
		t.Errorf("they were told %q", notes)
	}
	ended.Add(1)
	if err := (visit.Observers{observers[1]}).SweepEnded(t.Context(), sweep); err != nil {
		t.Errorf("got %v from an observer without an error", err)
	}
}

func TestVisitsThatDoNotTakePlace(t *testing.T) {
	host := visit.Host{Name: "web1", Address: "::1"}
	busy := visit.Busy(host, sweep)
	wantFailure(t, busy, failure.Dial, failure.Busy, "still runs", "interval")
	if busy.Address != "[::1]:22" || !busy.Sweep.Equal(sweep) || !busy.Started.Equal(sweep) || len(busy.ID) != 26 {
		t.Errorf("got %+v", busy)
	}
	cause := failure.New(failure.Authentication, failure.Configuration, errors.New("no key"))
	failed := visit.Failed(host, sweep, cause)
	wantFailure(t, failed, failure.Authentication, failure.Configuration, "no key")
	if cause.Host != "" {
		t.Error("the caller's error was changed")
	}
}
