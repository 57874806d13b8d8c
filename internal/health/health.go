package health

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/visit"
)

// Options say what a Health is told at its start.
type Options struct {
	Source   Source        // required
	Version  string        // of the program
	Interval time.Duration // between two sweeps; 0: there is no schedule, and no sweep is ever late
	Backoff  time.Duration // for which a host that fails may be left alone: its last visit counts for so much longer
	// Late is after how long without a sweep that ended the server is unwell, and a host without a visit is taken for
	// unknown. 0: three intervals, and five minutes at least.
	Late   time.Duration
	Logger *slog.Logger     // nil: nothing is logged
	Now    func() time.Time // nil: time.Now
}

const (
	lateIntervals = 3
	lateLeast     = 5 * time.Minute
)

// Health watches the visits and answers for the server. It is a visit.Observer.
type Health struct {
	source   Source
	version  string
	fixed    time.Duration // Late, if it was given
	schedule atomic.Pointer[schedule]
	log      *slog.Logger
	now      func() time.Time
	started  time.Time

	registry *prometheus.Registry
	meters   *meters
	fleet    fleet
	scrapes  chan struct{} // holds a token for each scrape of hosts that runs
	control  *http.ServeMux

	mu      sync.Mutex
	running map[time.Time]*Sweep // by their scheduled time
	last    Sweep                // that ended last; Ended zero: none has
}

var _ visit.Observer = (*Health)(nil)

// New returns a Health that knows of no hosts yet.
func New(o Options) *Health {
	h := &Health{
		source: o.Source, version: o.Version, fixed: o.Late, log: o.Logger, now: o.Now,
		registry: prometheus.NewRegistry(),
		meters:   newMeters(),
		scrapes:  make(chan struct{}, maxScrapes),
		control:  http.NewServeMux(),
		running:  make(map[time.Time]*Sweep),
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.now == nil {
		h.now = time.Now
	}
	h.SetSchedule(o.Interval, o.Backoff)
	h.started = h.now()
	h.register()
	h.control.Handle("/", h.Handler())
	return h
}

// schedule is how often there is a sweep, and what follows from that.
type schedule struct {
	interval time.Duration
	late     time.Duration // after which a sweep is; 0: never
	unknown  time.Duration // after which a host is; 0: never
}

// SetSchedule says how often there is a sweep, and for how long a host that fails may be left alone, as Options do.
func (h *Health) SetSchedule(interval, backoff time.Duration) {
	s := &schedule{interval: interval, late: h.fixed}
	if s.late == 0 && interval > 0 {
		s.late = max(lateIntervals*interval, lateLeast)
	}
	if s.late > 0 {
		s.unknown = s.late + backoff
	}
	h.schedule.Store(s)
}

// Host is a host of the configuration.
type Host struct {
	Name  string
	Group string // its groups, as in web/front
}

// SetHosts says which hosts there are. It is called before the first sweep, and again when the configuration has
// changed. What is known of hosts that are no longer there is dropped, and visits to them are counted, but nothing else.
func (h *Health) SetHosts(hosts []Host) { h.fleet.set(hosts) }

// SweepStarted notes that a sweep runs.
func (h *Health) SweepStarted(_ context.Context, s visit.Sweep) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running[s.Time] = &Sweep{Time: s.Time, Started: h.now(), Hosts: s.Hosts}
}

// outcome says what a visit came to. Skipped is one that did not take place, or was broken off, for reasons that are not
// the host's.
type outcome int

const (
	succeeded outcome = iota
	failed
	skipped
)

func outcomes() []string { return []string{"ok", "failed", "skipped"} }

func (o outcome) String() string { return outcomes()[o] }

func outcomeOf(v *visit.Visit) outcome {
	switch {
	case v.Failure == nil:
		return succeeded
	case v.Failure.Kind.SaysNothing():
		return skipped
	}
	return failed
}

// Visited counts a visit and keeps what its report says. It keeps nothing of v itself.
func (h *Health) Visited(_ context.Context, v *visit.Visit) {
	became := outcomeOf(v)
	h.meters.visited(v, became)
	if became != skipped {
		h.fleet.visited(v, h.now())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.running[v.Sweep]
	if s == nil {
		return
	}
	switch became {
	case failed:
		s.Failed++
	case skipped:
		s.Skipped++
	default:
		s.Succeeded++
	}
}

// SweepEnded notes that a sweep is over. It never fails.
func (h *Health) SweepEnded(_ context.Context, s visit.Sweep) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	sweep := h.running[s.Time]
	if sweep == nil {
		return nil
	}
	delete(h.running, s.Time)
	sweep.Ended = h.now()
	sweep.Seconds = sweep.Ended.Sub(sweep.Started).Seconds()
	h.last = *sweep
	h.meters.sweeps.Observe(sweep.Seconds)
	return nil
}
