package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/report"
	"muster/internal/store"
)

var (
	noon     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errAway  = fmt.Errorf("%w: connection refused", store.ErrUnavailable)
	errQueue = fmt.Errorf("%w: no answer", queue.ErrUnavailable)
)

// world is what outlives a process: a queue with its dead letters, and a database.
type world struct {
	mu      sync.Mutex
	entries []queue.Entry // each a group of its own
	done    uint64
	passed  chan struct{} // closed and replaced when done moves, or entries are added
	dead    []queue.Entry
	reasons []string

	visits map[string]int        // in the database, by their keys there: how often they were written
	logs   map[string]int        // likewise, log records: how often each was written
	cursor map[string]int64      // likewise, the last record of each channel
	sweeps map[int64]store.Sweep // likewise
	poison map[string]bool       // ids that it never takes
	away   func(call int) error  // what it says to each call; nil: nothing
	calls  int                   // of the database
	sizes  []int                 // of the batches that were written
	trials map[string]int        // how often each visit was in one
	halves bool                  // a batch may be written in two halves, of which the second fails
	slow   func(context.Context) // while it writes
	fate   func(step int) outage // what happens to each step of a process
	steps  int
}

// outage is what happens to a step.
type outage int

const (
	none        outage = iota
	killsBefore        // the process is killed before it is done …
	killsAfter         // … or after
	failsBefore        // it is not done, and the error says so …
	failsAfter         // … or it is, and the error says that it is not
)

// killed is what a process that is killed panics with.
type killed struct{}

func newWorld() *world {
	return &world{
		passed: make(chan struct{}), visits: make(map[string]int), logs: make(map[string]int), cursor: make(map[string]int64), sweeps: make(map[int64]store.Sweep),
		poison: make(map[string]bool), trials: make(map[string]int),
	}
}

// step does something to the world; failure is the error where it fails.
func (w *world) step(failure error, do func()) error {
	w.steps++
	o := none
	if w.fate != nil {
		o = w.fate(w.steps)
	}
	switch o {
	case killsBefore:
		panic(killed{})
	case failsBefore:
		return failure
	}
	do()
	switch o {
	case killsAfter:
		panic(killed{})
	case failsAfter:
		return failure
	}
	return nil
}

func (w *world) give() {
	close(w.passed)
	w.passed = make(chan struct{})
}

// oldest is when the oldest entry that waits was put, for the log.
var oldest = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// process reads the queue from where the work was done last.
type process struct {
	*world
	next       uint64
	unreadable error // what the queue says instead of entries
	batch      int   // entries in one; 0: all
}

func (w *world) process() *process { return &process{world: w, next: w.done} }

func (p *process) Again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = p.done
}

func (p *process) Next(ctx context.Context, bytes int) ([]queue.Entry, error) {
	for {
		p.mu.Lock()
		if p.unreadable != nil {
			p.mu.Unlock()
			return nil, p.unreadable
		}
		entries := p.entries[p.next:]
		passed := p.passed
		p.mu.Unlock()
		if p.batch > 0 {
			entries = entries[:min(p.batch, len(entries))]
		}
		for i, size := 0, 0; i < len(entries); i++ {
			if size += len(entries[i].Data); size >= bytes {
				entries = entries[:i+1]
			}
		}
		if len(entries) > 0 {
			p.next += uint64(len(entries))
			return entries, nil
		}
		select {
		case <-passed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *process) Done(_ context.Context, at queue.Position) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.step(errQueue, func() {
		p.done = at.Sequence
		p.give()
	})
}

func (p *process) Backlog() queue.Backlog {
	p.mu.Lock()
	defer p.mu.Unlock()
	return queue.Backlog{Entries: uint64(len(p.entries)) - p.done, Oldest: oldest}
}

func (p *process) Wait(ctx context.Context) error {
	p.mu.Lock()
	end := uint64(len(p.entries))
	p.mu.Unlock()
	for {
		p.mu.Lock()
		done, passed := p.done, p.passed
		p.mu.Unlock()
		if done >= end {
			return nil
		}
		select {
		case <-passed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *process) Bury(_ context.Context, e queue.Entry, reason string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.step(errQueue, func() {
		p.dead = append(p.dead, e)
		p.reasons = append(p.reasons, reason)
	})
}

// call is what a call of the database begins with.
func (w *world) call() error {
	w.calls++
	if w.away != nil {
		return w.away(w.calls)
	}
	return nil
}

// Save does what store.Store.Save does, with the keys of the table visits.
func (w *world) Save(ctx context.Context, visits []store.Visit) error {
	if w.slow != nil {
		w.slow(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call(); err != nil {
		return err
	}
	for _, v := range visits {
		w.trials[v.ID]++
	}
	for _, v := range visits {
		if w.poison[v.ID] {
			if w.halves {
				w.write(visits[:len(visits)/2])
			}
			return fmt.Errorf("visit %s: value out of range", v.ID)
		}
	}
	return w.step(errAway, func() {
		w.write(visits)
		w.sizes = append(w.sizes, len(visits))
	})
}

func (w *world) write(visits []store.Visit) {
	for _, v := range visits {
		if !w.poison[v.ID] {
			w.visits[fmt.Sprint(v.Sweep.UnixMilli(), " ", v.Host, " ", v.ID)]++
		}
	}
}

// SaveLogs does what store.Store.SaveLogs does: a record that is there already is not there twice, and a cursor is not
// there without its records.
func (w *world) SaveLogs(_ context.Context, logs []store.Logs) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call(); err != nil {
		return err
	}
	for _, l := range logs {
		if w.poison[l.Visit] {
			return fmt.Errorf("log records of visit %q name no host", l.Visit)
		}
	}
	return w.step(errAway, func() {
		for _, l := range logs {
			for _, c := range l.Channels {
				of := fmt.Sprint(l.Host, " ", c.Channel, " ", c.Epoch)
				for _, r := range c.Records {
					w.logs[fmt.Sprint(of, " ", r.ID)]++
				}
				w.cursor[of] = max(w.cursor[of], c.Next.Record)
			}
		}
	})
}

// SaveSweep moves forward alone, as that of store.Store.
func (w *world) SaveSweep(_ context.Context, s store.Sweep) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call(); err != nil {
		return err
	}
	return w.step(errAway, func() {
		if known, ok := w.sweeps[s.Time.UnixMilli()]; !ok || known.Ended.IsZero() {
			w.sweeps[s.Time.UnixMilli()] = s
		}
	})
}

func (w *world) Probe(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.call()
}

func (w *world) set(away error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = func(int) error { return away }
}

// add appends an entry to the queue.
func (w *world) add(e queue.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := uint64(len(w.entries) + 1)
	e.Number, e.Position = n, queue.Position{Sequence: n, Entries: n}
	w.entries = append(w.entries, e)
	w.give()
}

func (w *world) visit(t testing.TB, id string) {
	t.Helper()
	data, err := entry.EncodeVisit(&entry.Visit{
		ID: id, Host: "web1", Sweep: noon, Started: noon, Report: &report.Report{Host: "web1", Statistics: []report.Statistic{
			{Name: "memory.usage", Unit: "%", Kind: report.Gauge, Value: 50}, {Name: "uptime", Unit: "s", Kind: report.Gauge, Value: 5},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.add(queue.Entry{Kind: entry.KindVisit, ID: id, Data: data})
}

// part puts five log records of a host.
func (w *world) part(t testing.TB, id string, first int64) {
	t.Helper()
	c := report.Logs{Channel: "journal", Epoch: 1, Next: report.Cursor{Epoch: 1, Record: first + 4}}
	for i := range int64(5) {
		c.Records = append(c.Records, report.Record{ID: first + i, Time: noon})
	}
	data, err := entry.EncodeLogs(&entry.Logs{Visit: id, Sweep: noon, Host: "web1", Read: noon, Channels: []report.Logs{c}})
	if err != nil {
		t.Fatal(err)
	}
	w.add(queue.Entry{Kind: entry.KindLogs, ID: id, Data: data})
}

func (w *world) sweep(t testing.TB, at, ended time.Time) {
	t.Helper()
	data, err := entry.EncodeSweep(&entry.Sweep{Time: at, Started: at, Ended: ended, Hosts: 3, Visited: 2, Failed: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.add(queue.Entry{Kind: entry.KindSweep, ID: at.String(), Data: data})
}

// stored returns the ids of the visits that are in the database.
func (w *world) stored() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := make(map[string]int)
	for key, n := range w.visits {
		ids[strings.Fields(key)[2]] = n
	}
	return ids
}

func (w *world) buried() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for i, e := range w.dead {
		all = append(all, fmt.Sprintf("%s %s: %s", e.Kind, e.ID, w.reasons[i]))
	}
	return all
}

// recorder makes that of a process.
func (p *process) recorder(log *slog.Logger) *Recorder {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return New(Options{
		Open: func(context.Context) (Store, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if err := p.call(); err != nil {
				return nil, err
			}
			return p.world, nil
		},
		Reader: p, Dead: p, Logger: log, Now: time.Now,
	})
}

// start runs a recorder until stop is called, which waits for its end.
func start(r *Recorder) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

var errTable = errors.New("no such table: visits") // not store.ErrUnavailable
