// Package watch holds the limits against what hosts report and decides who is told: it is the queue's reader that knows
// the alerts.
//
// It needs the queue and nothing else. Visits are evaluated in the order of the stream, by package alert; what is known
// of the alerts is in a durable table beside the queue; at the end of each sweep every receiver who has news gets one
// letter, which goes to the outbox. The table alerts of the database is a projection that follows when it can.
//
// # Once
//
// A killed process evaluates again what it had not noted as done. That changes nothing and tells nobody twice:
//
//   - Evaluation is deterministic, so the same entries on the same state give the same alerts and notices.
//   - The state says, shard by shard, up to which entry it is evaluated; older entries are passed over for its hosts.
//   - Letters of a sweep are posted before the state says that they are, and the outbox knows a letter that it has. The
//     state says of each telling by which sweep: until all of the state is written, the sweep's letters are composed of
//     what it has told, too, and so are the same.
//   - The position in the queue moves last.
//
// What a killed process may forget is how the value of an alert moved while its phase stayed; the next visit says it
// again. And one that is started again with another configuration, between the posting of a letter and the note of that,
// may tell the letter's news again, with what the new configuration adds.
//
// # Told
//
// With each alert goes what each receiver was told of it. Someone whose letter is put off, because an earlier one still
// waits for the mail server, has news still at the end of the next sweep; an alert that is over by then is told as such.
//
// # Log records
//
// Limits on log records count these by the times that they say they were written at, in windows of bounded size, and are
// judged apart from all others: a part of a visit's records raises alerts, a later visit ends them. Records that are mailed
// wait until each receiver was told, a bounded number of each host and shard; what comes beyond it is counted, and the number is
// mailed. How far each channel was looked at, windows and waiting records lie in the shard of their host. So one write moves
// all of it with the alerts, and what is said above holds for them, too: a record that comes again, in the same entry or
// another, neither counts nor is mailed again. It is known by its epoch and id, as far as the last eight epochs of a channel go.
// Which records are logons package events says, of the record as it came: the store asks the same.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"muster/internal/alert"
	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/mail"
	"muster/internal/outbox"
	"muster/internal/queue"
	"muster/internal/report"
	"muster/internal/store"
)

// Server is the host, in alerts and mails, that stands for the server itself. No configured host can have this name.
const Server = "(server)"

const (
	readBytes  = 2 << 20          // of entries that are evaluated before the state is written
	retryFirst = time.Second      // before the second attempt to write …
	retryMost  = 30 * time.Second // … doubled each time up to this
	countsKept = 100              // sweeps whose counts are remembered
)

// Reader is what the watch needs of the queue.
type Reader interface {
	Next(ctx context.Context, bytes int) ([]queue.Entry, error)
	Done(ctx context.Context, p queue.Position) error
	Wait(ctx context.Context) error
}

// Table is a durable map for the state.
type Table interface {
	All(ctx context.Context) (map[string][]byte, error)
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
}

// Letters takes what receivers are told.
type Letters interface {
	Post(ctx context.Context, d mail.Digest) (outbox.Outcome, error)
}

// Projection takes what is known of alerts, for people to query.
type Projection interface {
	SaveAlerts(ctx context.Context, alerts []store.Alert) error
}

// Options are what a watch works with.
type Options struct {
	Settings
	Reader Reader
	Table  Table
	Logger *slog.Logger
	Now    func() time.Time
}

// Settings are what a configuration says to a watch. They may change while it works: see Set.
type Settings struct {
	Hosts   []config.Host
	Others  []string // receivers of what concerns the server, or hosts that the configuration no longer has
	Letters Letters  // nil: nobody is mailed, alerts are logged and projected
}

// Watch knows the alerts. Make it with New, and let one goroutine Run it and another Project.
type Watch struct {
	options Options
	log     *slog.Logger

	mu      sync.Mutex
	watched map[string]watched // by host
	others  []string
	letters Letters
	state   *state
	sweeps  map[time.Time]*Counts
	order   []time.Time   // of the sweeps that are counted, oldest first
	dirty   chan struct{} // holds a token where there may be something to project
	hurry   chan struct{} // holds a token where that is not to wait

	attempted chan struct{} // closed and replaced when the database was tried …
	failed    error         // … and what came of it
}

// watched is what the configuration says of a host.
type watched struct {
	limits    []alert.Limit
	events    []eventRule
	records   []selection // that are mailed
	groups    string
	receivers []string
}

// Counts is what a sweep came to.
type Counts struct{ Raised, Ended, Firing int }

// New takes up the alerts where they stood. The error is the table's, or says what in it can't be read.
func New(ctx context.Context, o Options) (*Watch, error) {
	w := &Watch{
		options: o,
		log:     o.Logger,
		sweeps:  make(map[time.Time]*Counts),
		dirty:   make(chan struct{}, 1),
		hurry:   make(chan struct{}, 1),

		attempted: make(chan struct{}),
	}
	all, err := o.Table.All(ctx)
	if err != nil {
		return nil, err
	}
	if w.state, err = readState(all); err != nil {
		return nil, err
	}
	w.Set(o.Settings)
	return w, nil
}

// Set has the watch go by other settings from the next entry that it evaluates on. Alerts of hosts that they no longer have
// are over; those of limits that a host no longer has, with its next visit. All others go on.
func (w *Watch) Set(s Settings) {
	hosts := make(map[string]watched, len(s.Hosts)+1)
	for i := range s.Hosts {
		hosts[s.Hosts[i].Name] = newWatched(&s.Hosts[i])
	}
	hosts[Server] = watched{limits: serverLimits(), receivers: s.Others}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watched, w.others, w.letters = hosts, s.Others, s.Letters
	w.forget()
	w.nudge()
}

// forget ends the alerts of hosts that the configuration no longer has. mu is held.
func (w *Watch) forget() {
	now := w.options.Now()
	for host, alerts := range w.state.hosts() {
		if _, known := w.watched[host]; known {
			continue
		}
		next, notices := alert.Forget(alerts.open(), now)
		w.state.replace(host, next)
		for _, n := range notices {
			w.announce(context.Background(), n.Alert, host)
		}
	}
	for host, logs := range w.state.allLogs() {
		if _, known := w.watched[host]; !known && logs.keep(&watched{}) {
			w.state.putLogs(host, logs)
		}
	}
}

// Run evaluates what is reported until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	for {
		entries, err := w.options.Reader.Next(ctx, readBytes)
		if err != nil {
			if !pause(ctx, retryFirst, nil) {
				return
			}
			continue
		}
		if !w.work(ctx, entries) {
			return
		}
	}
}

// work evaluates entries and notes that it is done; false if ctx ended first.
func (w *Watch) work(ctx context.Context, entries []queue.Entry) bool {
	for _, e := range entries {
		switch e.Kind {
		case entry.KindVisit:
			w.visited(ctx, e)
		case entry.KindLogs:
			w.logged(ctx, e)
		case entry.KindSweep:
			s, err := entry.DecodeSweep(e.Data)
			if err != nil {
				w.log.ErrorContext(ctx, "the end of a sweep can't be read: its news is mailed with the next", "err", err)
				continue
			}
			if !w.persist(ctx, func() error { return w.sweep(ctx, s, e.Number) }) {
				return false
			}
		}
	}
	last := entries[len(entries)-1]
	return w.persist(ctx, func() error {
		if err := w.write(ctx, last.Number); err != nil {
			return err
		}
		return w.options.Reader.Done(ctx, last.Position)
	})
}

// persist repeats what must succeed before anything else makes sense; false if ctx ended first.
func (w *Watch) persist(ctx context.Context, do func() error) bool {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		err := do()
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		w.log.ErrorContext(ctx, "alerts can't be written: limits are judged again when they can", "err", err, "retry", wait)
		if !pause(ctx, wait, nil) {
			return false
		}
	}
}

// visited evaluates the limits of the visited host. A visit that can't be read, which the recorder reports, and one that
// says nothing of its host are passed over.
func (w *Watch) visited(ctx context.Context, e queue.Entry) {
	v, err := entry.DecodeVisit(e.Data)
	if err != nil || v.Skipped {
		return
	}
	o := alert.Observation{Host: v.Host}
	if v.Report == nil {
		o.Failed = true
		o.Text = fmt.Sprintf("%s: %s; %s", v.Stage, v.Error, v.Advice)
	} else {
		o.Statistics = v.Report.Statistics
		// A log that can't be read keeps no statistic of the host's from being there.
		o.Incomplete = slices.ContainsFunc(v.Report.Failures, func(f report.Failure) bool { return f.Source != "logs" })
	}
	w.evaluate(ctx, o, v, e.Number)
}

// evaluate judges an observation that the entry of this number brought; what v says of it beyond that are the times, and
// which visit it was. Limits on log records are judged apart from all others.
func (w *Watch) evaluate(ctx context.Context, o alert.Observation, v *entry.Visit, number uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	host, known := w.watched[o.Host]
	if !known {
		return // taken out of the configuration while it waited
	}
	if w.state.has(o.Host, number) {
		return
	}
	open, matches := apart(w.state.open(o.Host))
	next, notices := alert.Evaluate(host.limits, open, o, v.Started)
	w.state.replace(o.Host, append(next, matches...))
	if len(next) > 0 {
		w.nudge()
	}
	if len(matches) > 0 {
		notices = append(notices, w.revisit(v)...)
	}
	w.note(ctx, notices, v.Sweep, o.Host)
}

// apart returns the alerts on log records apart from all others.
func apart(open []alert.Alert) (others, matches []alert.Alert) {
	for _, a := range open {
		if a.Statistic == report.LogsMatches {
			matches = append(matches, a)
		} else {
			others = append(others, a)
		}
	}
	return others, matches
}

// note counts and logs what happened to alerts in a sweep. mu is held.
func (w *Watch) note(ctx context.Context, notices []alert.Notice, sweep time.Time, host string) {
	counts := w.count(sweep)
	for _, n := range notices {
		if n.Alert.Phase == alert.Firing {
			counts.Raised++
		} else {
			counts.Ended++
		}
		w.announce(ctx, n.Alert, host)
	}
}

// announce logs what people may want to know.
func (w *Watch) announce(ctx context.Context, a alert.Alert, host string) {
	log := w.log.With("host", host, "statistic", a.Statistic, "instance", a.Instance, "value", a.Value,
		"limit", a.Limit, "since", a.Since, "text", a.Text)
	if a.Phase == alert.Firing {
		log.WarnContext(ctx, "alert")
	} else {
		log.InfoContext(ctx, "alert is over")
	}
}

// count returns the counts of a sweep. mu is held.
func (w *Watch) count(sweep time.Time) *Counts {
	c := w.sweeps[sweep]
	if c == nil {
		c = new(Counts)
		w.sweeps[sweep] = c
		w.order = append(w.order, sweep)
		if len(w.order) > countsKept {
			delete(w.sweeps, w.order[0])
			w.order = w.order[1:]
		}
	}
	return c
}

// Settle returns when everything that is in the queue when it is called is evaluated and the letters are posted, or ctx
// ends.
func (w *Watch) Settle(ctx context.Context) error { return w.options.Reader.Wait(ctx) }

// Counts returns what a sweep came to, as far as it is evaluated, and how many alerts fire now.
func (w *Watch) Counts(sweep time.Time) Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	var c Counts
	if known := w.sweeps[sweep]; known != nil {
		c = *known
	}
	c.Firing, _ = w.state.count()
	return c
}

// Open returns how many alerts fire and how many are pending.
func (w *Watch) Open() (firing, pending int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.count()
}

// pause waits, until there is a token in hurry at most; false if ctx ended.
func pause(ctx context.Context, wait time.Duration, hurry <-chan struct{}) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-hurry:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *Watch) nudge() {
	select {
	case w.dirty <- struct{}{}:
	default:
	}
}

var errTable = errors.New("what is known of the alerts can't be read")
