package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/store"
	"muster/internal/visit"
)

// fakeSaver is a database that can be away, and that can refuse single visits.
type fakeSaver struct {
	mu      sync.Mutex
	away    error
	poison  string // the id of a visit that it never takes
	batches [][]store.Visit
	sweeps  []store.Sweep
}

func (f *fakeSaver) Save(_ context.Context, visits []store.Visit) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away != nil {
		return f.away
	}
	for _, v := range visits {
		if v.ID == f.poison {
			return errors.New("value out of range")
		}
	}
	f.batches = append(f.batches, visits)
	return nil
}

func (f *fakeSaver) SaveSweep(_ context.Context, s store.Sweep) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweeps = append(f.sweeps, s)
	return f.away
}

func (f *fakeSaver) set(away error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

// ids returns what is stored, in order.
func (f *fakeSaver) ids() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for _, batch := range f.batches {
		for _, v := range batch {
			ids = append(ids, v.ID)
		}
	}
	return ids
}

var sweepTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func aVisit(host, id string) *visit.Visit {
	return &visit.Visit{
		ID: id, Host: host, Sweep: sweepTime, Started: sweepTime.Add(time.Second), Address: host + ":22",
		Stages: []visit.Timing{{Stage: failure.Dial, Took: time.Millisecond}, {Stage: failure.Run, Took: time.Second}},
		Report: &report.Report{Visit: id, Host: host},
	}
}

func newTestRecorder(t *testing.T, s saver) (*recorder, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	r := newRecorder(s, []config.Host{{Name: "web1", Groups: []string{"web", "front"}}},
		slog.New(slog.NewTextHandler(&log, nil)), time.Now)
	t.Cleanup(func() { _ = r.Close() })
	return r, &log
}

func TestRecorderStoresEveryVisitOfASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saver := &fakeSaver{}
		r, _ := newTestRecorder(t, saver)
		sweep := visit.Sweep{Time: sweepTime, Hosts: 1200}
		r.SweepStarted(t.Context(), sweep)
		var visits sync.WaitGroup
		for i := range 1200 {
			visits.Go(func() { r.Visited(t.Context(), aVisit("web1", fmt.Sprint("v", i))) })
		}
		visits.Wait()
		if err := r.SweepEnded(t.Context(), sweep); err != nil {
			t.Fatal(err)
		}
		if got := len(saver.ids()); got != 1200 {
			t.Errorf("%d visits are stored, want 1200", got)
		}
		for _, b := range saver.batches {
			if len(b) > batchVisits {
				t.Errorf("a batch of %d visits, at most %d are wanted", len(b), batchVisits)
			}
		}
		row := saver.sweeps[0]
		if row.Hosts != 1200 || row.Visited != 1200 || row.Failed != 0 || row.Ended.IsZero() {
			t.Errorf("sweep = %+v", row)
		}
		first := saver.batches[0][0]
		if first.Groups != "web/front" || first.Stages["run"] != time.Second || first.Address != "web1:22" {
			t.Errorf("visit = %+v", first)
		}
	})
}

func TestRecorderKeepsVisitsWhileTheDatabaseIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saver := &fakeSaver{away: fmt.Errorf("%w: connection refused", store.ErrUnavailable)}
		r, log := newTestRecorder(t, saver)
		sweep := visit.Sweep{Time: sweepTime, Hosts: 3}
		r.SweepStarted(t.Context(), sweep)
		for i := range 3 {
			r.Visited(t.Context(), aVisit("web1", fmt.Sprint("v", i)))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := r.SweepEnded(ctx, sweep)
		if !errors.Is(err, ErrUnusable) || !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "not stored yet: 3") {
			t.Fatalf("SweepEnded = %v, want that 3 visits are not stored and why", err)
		}

		saver.set(nil)
		<-time.After(retryMost) // the bubble's time: the next attempt comes at the latest now
		synctest.Wait()
		if got := fmt.Sprint(saver.ids()); got != "[v0 v1 v2]" {
			t.Errorf("stored: %s, want all, once, in order", got)
		}
		if n := len(saver.sweeps); n != 1 || saver.sweeps[0].Visited != 3 || saver.sweeps[0].Ended.IsZero() {
			t.Errorf("sweeps stored: %+v, want the end of the one, with its visits", saver.sweeps)
		}
		if !strings.Contains(log.String(), "database is not available") || !strings.Contains(log.String(), "available again") {
			t.Errorf("the log does not say that the database went and came:\n%s", log)
		}
	})
}

func TestRecorderGivesUpOneVisitNotTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saver := &fakeSaver{poison: "v1"}
		r, log := newTestRecorder(t, saver)
		sweep := visit.Sweep{Time: sweepTime, Hosts: 3}
		r.SweepStarted(t.Context(), sweep)
		for i := range 3 {
			r.Visited(t.Context(), aVisit("web1", fmt.Sprint("v", i)))
		}
		err := r.SweepEnded(t.Context(), sweep)
		if err == nil || !strings.Contains(err.Error(), "not stored: 1: value out of range") {
			t.Errorf("SweepEnded = %v, want the lost visit and the reason", err)
		}
		if got := fmt.Sprint(saver.ids()); got != "[v0 v2]" {
			t.Errorf("stored: %s, want all but v1", got)
		}
		if !strings.Contains(log.String(), "visit=v1") {
			t.Errorf("the log does not name the visit:\n%s", log)
		}
	})
}

func TestRecorderGivesNothingUpThatTheDatabaseRefusesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saver := &fakeSaver{away: errors.New("no such table: visits")} // not store.ErrUnavailable
		r, _ := newTestRecorder(t, saver)
		sweep := visit.Sweep{Time: sweepTime, Hosts: 3}
		r.SweepStarted(t.Context(), sweep)
		for i := range 3 {
			r.Visited(t.Context(), aVisit("web1", fmt.Sprint("v", i)))
		}
		<-time.After(time.Minute)
		saver.set(nil)
		if err := r.SweepEnded(t.Context(), sweep); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(saver.ids()); got != "[v0 v1 v2]" {
			t.Errorf("stored: %s, want all, once, in order", got)
		}
	})
}

func TestRecorderBoundsStatistics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saver := &fakeSaver{away: store.ErrUnavailable}
		r, _ := newTestRecorder(t, saver)
		sweep := visit.Sweep{Time: sweepTime, Hosts: 200}
		r.SweepStarted(t.Context(), sweep)
		statistics := make([]report.Statistic, report.MaxStatistics)
		for i := range 200 {
			v := aVisit("web1", fmt.Sprint("v", i))
			v.Report.Statistics = statistics
			r.Visited(t.Context(), v)
		}
		synctest.Wait()
		if batch, _ := r.next(); len(batch) != batchStatistics/report.MaxStatistics {
			t.Errorf("the next batch has %d visits of %d statistics, at most %d are wanted", len(batch), len(statistics), batchStatistics)
		}
		saver.set(nil)
		const kept = backlogStatistics / report.MaxStatistics
		err := r.SweepEnded(t.Context(), sweep)
		if err == nil || len(saver.ids()) != kept {
			t.Errorf("%d visits are stored, want %d; SweepEnded = %v", len(saver.ids()), kept, err)
		}
		if r.statistics != 0 {
			t.Errorf("%d statistics are counted in an empty backlog", r.statistics)
		}
	})
}

func TestRecorderIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saver := &fakeSaver{away: store.ErrUnavailable}
		r, _ := newTestRecorder(t, saver)
		r.log = slog.New(slog.DiscardHandler)
		sweep := visit.Sweep{Time: sweepTime, Hosts: backlogVisits + 10}
		r.SweepStarted(t.Context(), sweep)
		for i := range backlogVisits + 10 {
			r.Visited(t.Context(), aVisit("web1", fmt.Sprint("v", i)))
		}
		synctest.Wait()
		if batch, _ := r.next(); len(batch) != batchVisits {
			t.Errorf("the next batch has %d visits, want %d", len(batch), batchVisits)
		}
		saver.set(nil)
		err := r.SweepEnded(t.Context(), sweep)
		if err == nil || !strings.Contains(err.Error(), "not stored: 10") {
			t.Errorf("SweepEnded = %v, want the 10 dropped visits", err)
		}
		if ids := saver.ids(); len(ids) != backlogVisits || ids[0] != "v10" {
			t.Errorf("%d visits are stored, the first is %s; want the newest", len(ids), ids[0])
		}
	})
}

func TestRecorderClosesWhileTheDatabaseIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log := newTestRecorder(t, &fakeSaver{away: store.ErrUnavailable})
		r.SweepStarted(t.Context(), visit.Sweep{Time: sweepTime, Hosts: 1})
		r.Visited(t.Context(), aVisit("web1", "v0"))
		synctest.Wait()
		if err := r.Close(); !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), "lost: 1") {
			t.Errorf("Close = %v, want what is lost", err)
		}
		if !strings.Contains(log.String(), "visits are lost") {
			t.Errorf("the log does not say what is lost:\n%s", log)
		}
	})
}

func TestRecorderStoresFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saver := &fakeSaver{}
		r, _ := newTestRecorder(t, saver)
		sweep := visit.Sweep{Time: sweepTime, Hosts: 1}
		r.SweepStarted(t.Context(), sweep)
		v := aVisit("web1", "v0")
		v.Report = nil
		v.Failure = &failure.Error{Host: "web1", Stage: failure.Dial, Kind: failure.Refused, Err: errors.New("connection refused")}
		r.Visited(t.Context(), v)
		if err := r.SweepEnded(t.Context(), sweep); err != nil {
			t.Fatal(err)
		}
		row := saver.batches[0][0]
		if row.Stage != "dial" || row.Kind != "refused" || row.Error != "connection refused" ||
			row.Advice != failure.Refused.Advice() || row.Report != nil {
			t.Errorf("visit = %+v", row)
		}
		if saver.sweeps[0].Failed != 1 {
			t.Errorf("sweep = %+v, want one failed visit", saver.sweeps[0])
		}
	})
}
