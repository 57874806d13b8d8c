package store

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// testConcurrentSaves has eight servers, as it were, save overlapping visits in different orders, in two stores.
func testConcurrentSaves(t *testing.T, x *target) {
	o := x.fresh(t)
	stores := []*Store{openStore(t, o), openStore(t, o)}
	var visits []Visit
	for i := range 4 {
		visits = append(visits, fleet(noon().Add(time.Duration(i)*time.Minute), 40, 5)...)
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		mine := slices.Clone(visits)
		random := rand.New(rand.NewPCG(7, uint64(worker)))
		random.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
		wg.Go(func() {
			for chunk := range slices.Chunk(mine, 40) {
				if err := stores[worker%2].Save(t.Context(), chunk); err != nil {
					t.Errorf("worker %d: %v", worker, err)
				}
			}
		})
	}
	wg.Wait()
	want := map[string]int{"hosts": 40, "series": 200, "sweeps": 4, "visits": 160, "statistics": 800}
	if got := counts(t, stores[0]); !maps.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
	last := noon().Add(3 * time.Minute).UnixMilli()
	if n := count(t, stores[0], "hosts WHERE visit_sweep = succeeded_sweep AND visit_sweep = "+encode(last)); n != 40 {
		t.Errorf("%d of 40 hosts are at the last sweep", n)
	}
}

// testLockedRow has another program hold what Save needs to write, and let go when Save waits.
func testLockedRow(t *testing.T, x *target) {
	s := x.open(t)
	save(t, s, fleet(noon(), 1, 1)...)
	other, err := s.pool.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec("UPDATE hosts SET client = 'other'"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.Save(ctx, fleet(noon().Add(time.Minute), 1, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the row is held: %v, want that the time is over", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Save(t.Context(), fleet(noon().Add(time.Minute), 1, 1)) }()
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := count(t, s, "visits"); n != 2 {
		t.Errorf("%d visits are stored, want 2", n)
	}
}

func testCancelled(t *testing.T, x *target) {
	s := x.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, alertsErr := s.Alerts(ctx)
	_, statusErr := s.Status(ctx)
	_, openErr := Open(ctx, x.fresh(t))
	_, pruneErr := s.Prune(ctx, noon())
	_, usageErr := s.Usage(ctx, noon(), 1)
	for call, err := range map[string]error{
		"Save": s.Save(ctx, fleet(noon(), 1, 1)), "SaveSweep": s.SaveSweep(ctx, Sweep{Time: noon()}),
		"SaveAlerts": s.SaveAlerts(ctx, []Alert{someAlert("a")}), "Alerts": alertsErr, "Status": statusErr, "Open": openErr,
		"Prune": pruneErr, "Usage": usageErr, "Verify": s.Verify(ctx, func(Check) {}),
	} {
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v, want that it was cancelled", call, err)
		}
	}
}
