package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/failure"
	"muster/internal/queue"
	"muster/internal/report"
	"muster/internal/store"
	"muster/internal/visit"
	"muster/internal/watch"
)

// fakeVisitor takes a while for each visit and notes how many run at once.
type fakeVisitor struct {
	took map[string]time.Duration // by host; otherwise a second

	mu      sync.Mutex
	running int
	most    int
	visited []string
}

func (f *fakeVisitor) Visit(ctx context.Context, host visit.Host, sweep time.Time) *visit.Visit {
	f.mu.Lock()
	f.running++
	f.most = max(f.most, f.running)
	f.visited = append(f.visited, host.Name)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.running--
	}()
	took := f.took[host.Name]
	if took == 0 {
		took = time.Second
	}
	select {
	case <-time.After(took):
		return &visit.Visit{Host: host.Name, Sweep: sweep, Report: &report.Report{Host: host.Name}}
	case <-ctx.Done():
		return visit.Failed(host, sweep, failure.New(failure.Run, failure.Cancelled, ctx.Err()))
	}
}

// heard is an observer that notes what it is told, and that every sweep is told in order.
type heard struct {
	t      *testing.T
	mu     sync.Mutex
	open   map[time.Time]bool
	visits []*visit.Visit
	err    error // returned by SweepEnded
}

func (h *heard) SweepStarted(_ context.Context, s visit.Sweep) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[s.Time] = true
}

func (h *heard) Visited(_ context.Context, v *visit.Visit) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open[v.Sweep] {
		h.t.Errorf("a visit of %s outside of its sweep", v.Host)
	}
	h.visits = append(h.visits, v)
}

func (h *heard) SweepEnded(ctx context.Context, s visit.Sweep) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open[s.Time] {
		h.t.Error("a sweep ended that had not started")
	}
	if ctx.Err() != nil {
		h.t.Error("the end of a sweep has no time left")
	}
	delete(h.open, s.Time)
	return h.err
}

func (h *heard) kinds() map[failure.Kind]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	kinds := make(map[failure.Kind]int)
	for _, v := range h.visits {
		if v.Failure == nil {
			kinds[""]++
		} else {
			kinds[v.Failure.Kind]++
		}
	}
	return kinds
}

// fakeQueue takes everything, or nothing.
type fakeQueue struct {
	full error

	mu    sync.Mutex
	kinds map[string]int
}

func (q *fakeQueue) Put(_ context.Context, entries ...queue.Entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.kinds == nil {
		q.kinds = make(map[string]int)
	}
	for _, e := range entries {
		if q.full != nil && !e.Vital {
			return q.full
		}
		q.kinds[e.Kind]++
	}
	return nil
}

// fakeFollower has nothing to do.
type fakeFollower struct {
	unkept atomic.Int64  // of the sweep that ended last
	hangs  chan struct{} // closed where the queue hangs; nil: it never does
}

func (*fakeFollower) start() func()                     { return func() {} }
func (*fakeFollower) settle(context.Context) error      { return nil }
func (*fakeFollower) settleBriefly(context.Context)     {}
func (f *fakeFollower) stuck() <-chan struct{}          { return f.hangs }
func (*fakeFollower) counts(time.Time) (c watch.Counts) { return c }
func (*fakeFollower) alerts() int                       { return 0 }
func (*fakeFollower) checkMail(context.Context)         {}

func (*fakeFollower) reload(context.Context, *config.Config, changes) (func(context.Context), error) {
	return func(context.Context) {}, nil
}

func (*fakeFollower) serve(context.Context) (func(), error) { return func() {}, nil }

func (f *fakeFollower) conditions(unkept int, _ error) []entry.Condition {
	f.unkept.Store(int64(unkept))
	return nil
}

// newTestController makes a controller of n hosts without store, mail and SSH.
func newTestController(t *testing.T, n, parallel int) (*Controller, *fakeVisitor, *heard) {
	t.Helper()
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Server: config.Server{Interval: time.Minute, Parallel: parallel}}
	for i := range n {
		cfg.Hosts = append(cfg.Hosts, config.Host{
			Name: fmt.Sprint("h", i), KnownHosts: []string{known}, Password: config.NewSecret("x"),
			Timeouts: config.Timeouts{Visit: 2 * time.Minute},
		})
	}
	log := slog.New(slog.DiscardHandler)
	f := &fakeVisitor{}
	h := &heard{t: t, open: make(map[time.Time]bool)}
	c := newController(Options{Config: cfg, Logger: log, Now: time.Now})
	c.visitor, c.behind, c.keeper = f, new(fakeFollower), &keeper{new(fakeQueue)}
	c.observers = visit.Observers{newJournal(log), h}
	return c, f, h
}

// now orders a sweep as muster run does.
func now(c *Controller) order {
	p := c.plan.Load()
	return order{name: c.names.name(c.now()), begun: time.Now(), plan: p, turns: p.atOnce(), asked: true}
}

func TestSweepVisitsEveryHostWithinTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f, h := newTestController(t, 100, 8)
		summary, err := c.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if summary.Visited != 100 || summary.Hosts != 100 || len(summary.Failed) != 0 || summary.Cancelled {
			t.Errorf("summary = %+v", summary)
		}
		if f.most != 8 {
			t.Errorf("%d visits ran at once, want 8", f.most)
		}
		if summary.Took != 13*time.Second {
			t.Errorf("took %v, want 13 rounds of a second", summary.Took)
		}
		if len(h.visits) != 100 || len(h.open) != 0 {
			t.Errorf("the observer heard of %d visits, %d sweeps are open", len(h.visits), len(h.open))
		}
	})
}

func TestServeNeverVisitsAHostTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f, h := newTestController(t, 3, 8)
		f.took = map[string]time.Duration{"h1": 150 * time.Second}
		ctx, cancel := context.WithTimeout(t.Context(), 185*time.Second) // sweeps at 0, 60, 120, 180 s
		defer cancel()
		if err := c.Serve(ctx); err != nil {
			t.Fatal(err)
		}
		count := make(map[string]int)
		for _, host := range f.visited {
			count[host]++
		}
		if count["h0"] != 4 || count["h1"] != 2 || count["h2"] != 4 {
			t.Errorf("visits: %v, want 4 to h0 and h2, 2 to h1", count)
		}
		if kinds := h.kinds(); kinds[failure.Busy] != 2 || kinds[failure.Cancelled] != 1 || kinds[""] != 9 {
			t.Errorf("outcomes: %v, want 9 reports, 2 busy, 1 cancelled", kinds)
		}
	})
}

// A visit that does not end is no reason to believe that its host is well.
func TestAVisitThatDoesNotEndIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f, h := newTestController(t, 2, 8)
		f.took = map[string]time.Duration{"h1": 10 * time.Minute}
		ctx, cancel := context.WithTimeout(t.Context(), 365*time.Second) // sweeps at 0, 60, … 360 s; a visit may take 120
		defer cancel()
		if err := c.Serve(ctx); err != nil {
			t.Fatal(err)
		}
		if kinds := h.kinds(); kinds[failure.Busy] != 3 || kinds[failure.Internal] != 3 || kinds[""] != 7 {
			t.Errorf("outcomes: %v, want 7 reports, 3 busy, 3 overdue", kinds)
		}
	})
}

func TestSweepsThatTakeLongerThanTheIntervalDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f, h := newTestController(t, 100, 1) // 100 s for a sweep, at an interval of 60 s
		most := 0
		c.observers = append(c.observers, &visits{func() { h.mu.Lock(); most = max(most, len(h.open)); h.mu.Unlock() }})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		if err := c.Serve(ctx); err != nil {
			t.Fatal(err)
		}
		if most > 3 { // each host waits in one of them at most
			t.Errorf("%d sweeps were open at once, at most 3 are wanted", most)
		}
		if len(f.visited) < 1000 {
			t.Errorf("%d visits in 20 minutes, want one a second or nearly so", len(f.visited))
		}
		if len(c.claimed) != 0 {
			t.Errorf("%d hosts are still claimed at the end", len(c.claimed))
		}
	})
}

// visits is an observer that calls a function at each visit.
type visits struct{ told func() }

func (v *visits) SweepStarted(context.Context, visit.Sweep)     {}
func (v *visits) Visited(context.Context, *visit.Visit)         { v.told() }
func (v *visits) SweepEnded(context.Context, visit.Sweep) error { return nil }

func TestSweepThatIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f, h := newTestController(t, 10, 4)
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		summary, err := c.Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !summary.Cancelled || summary.Visited != 4 || len(summary.Failed) != 0 {
			t.Errorf("summary = %+v, want 4 visits and that it was cancelled", summary)
		}
		if len(c.claimed) != 0 {
			t.Errorf("%d hosts are still claimed", len(c.claimed))
		}
		if len(f.visited) != 8 || h.kinds()[failure.Cancelled] != 4 {
			t.Errorf("%d visits began, %v", len(f.visited), h.kinds())
		}
	})
}

// A sweep all of whose visits have ended is complete, whatever ends while it is stored.
func TestSweepThatIsCompleteIsNotCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, h := newTestController(t, 10, 4)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c.observers = append(c.observers, &visits{func() {
			if len(h.kinds()) == 1 && h.kinds()[""] == 10 {
				cancel()
			}
		}})
		summary, err := c.Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if ctx.Err() == nil || summary.Cancelled || summary.Visited != 10 {
			t.Errorf("summary = %+v, want ten visits and that nothing was cancelled", summary)
		}
	})
}

// A start that is interrupted is no failure of the database, and a mistake in its URL is none either.
func TestReadStoreSaysWhoseFaultItIs(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	here := "sqlite:" + filepath.Join(t.TempDir(), "muster.db")
	for name, c := range map[string]struct {
		ctx                     context.Context
		url                     string
		want, neither, nor, not error
	}{
		"interrupted": {ended, here, context.Canceled, ErrUnusable, ErrConfiguration, store.ErrUnavailable},
		"not there":   {t.Context(), here, ErrUnusable, ErrConfiguration, context.Canceled, store.ErrDenied},
		"no URL":      {t.Context(), "sqlite:", ErrConfiguration, ErrUnusable, context.Canceled, store.ErrUnavailable},
	} {
		database, err := ReadStore(c.ctx, config.Database{URL: c.url}, slog.New(slog.DiscardHandler))
		if err == nil {
			_ = database.Close()
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		for _, other := range []error{c.neither, c.nor, c.not} {
			if errors.Is(err, other) {
				t.Errorf("%s: %v is also %v", name, err, other)
			}
		}
	}
}

// A visit that did not take place for reasons that are not the host's is no warning.
func TestJournalTellsSkippedFromFailed(t *testing.T) {
	host := visit.Host{Name: "web1", Address: "127.0.0.1"}
	for kind, want := range map[failure.Kind]string{
		failure.Busy: `level=INFO msg="visit skipped"`, failure.Cancelled: `level=INFO msg="visit skipped"`,
		failure.Refused: `level=WARN msg="visit failed"`,
	} {
		var log bytes.Buffer
		j := newJournal(slog.New(slog.NewTextHandler(&log, nil)))
		j.Visited(t.Context(), visit.Failed(host, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), failure.New(failure.Dial, kind, errors.New("because"))))
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s: the log is %q, want %s", kind, log.String(), want)
		}
	}
}

func TestSweepReturnsWhatObserversSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, h := newTestController(t, 1, 1)
		h.err = errors.New("disk full")
		if _, err := c.Run(t.Context()); !errors.Is(err, h.err) {
			t.Errorf("Run = %v, want the observer's error", err)
		}
	})
}

func TestHostWhoseKeyCantBeReadFailsAlone(t *testing.T) {
	c, f, h := newTestController(t, 3, 3)
	c.plan.Load().config.Hosts[1].Keys = []string{filepath.Join(t.TempDir(), "missing")}
	f.took = map[string]time.Duration{"h0": time.Millisecond, "h2": time.Millisecond}
	summary, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if summary.Visited != 2 || len(summary.Failed) != 1 {
		t.Fatalf("summary = %+v, want one failure", summary)
	}
	if failed := summary.Failed[0]; failed.Host != "h1" || failed.Failure.Kind != failure.Configuration {
		t.Errorf("failure = %+v, want that of h1's key", failed.Failure)
	}
	if len(h.visits) != 3 {
		t.Errorf("the observer heard of %d visits, want 3", len(h.visits))
	}
}
