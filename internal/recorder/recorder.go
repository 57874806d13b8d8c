// Package recorder moves what waits in the durable queue into the database: it is the queue's reader that feeds the store.
//
// One goroutine, that of Run, reads all that waits up to a bound, writes it, visits in one transaction and log records in
// another, and then moves the queue's position: batches grow with the backlog, and what is written twice, because the position
// was lost, is stored once. What is small in the queue and large in memory, such as thousands of log records of empty data, which
// a host may send on purpose, is written in several batches.
//
// While the database is away the batch is tried again, and the queue keeps the rest; visits go on.
//
// An entry that can be read or stored neither now nor ever becomes a dead letter of the queue, with the reason, and keeps
// nothing else back. Only a database that takes other things is believed when it refuses one. What a person puts back
// comes to the recorder alone, as entry.ToStore has it: nobody is mailed because of an old report.
//
// A process that is killed does again what it had not noted as done: a visit is stored once all the same, and a dead
// letter may be there twice.
package recorder

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/store"
)

const (
	readBytes  = 8 << 20          // of entries that are read at once, as they are in the queue: some 700 visits, or 3,000 log records with 1.5 kB of XML each
	batchSize  = 32 << 20         // of a batch in memory, by which it is full: three times what the above are
	retryFirst = time.Second      // before the second attempt to write a batch …
	retryMost  = 30 * time.Second // … doubled each time up to this
)

// Store is what the recorder needs of the database.
type Store interface {
	Save(ctx context.Context, visits []store.Visit) error
	SaveLogs(ctx context.Context, logs []store.Logs) error
	SaveSweep(ctx context.Context, sweep store.Sweep) error
	Probe(ctx context.Context) error // says whether it takes anything at all
}

// Reader is what it needs of the queue.
type Reader interface {
	Again()
	Next(ctx context.Context, bytes int) ([]queue.Entry, error)
	Done(ctx context.Context, p queue.Position) error
	Wait(ctx context.Context) error
	Backlog() queue.Backlog
}

// Graveyard takes what can't be stored.
type Graveyard interface {
	Bury(ctx context.Context, e queue.Entry, reason string) error
}

// Options are what a recorder works with; all are required.
type Options struct {
	// Open returns the database, which it opens when it can. It is called until it succeeds.
	Open   func(ctx context.Context) (Store, error)
	Reader Reader
	Dead   Graveyard
	Logger *slog.Logger
	Now    func() time.Time
}

// State is how the writing goes.
type State struct {
	Away    time.Time // since when the database can't be used; zero: it can
	Reason  error     // why
	Visits  uint64    // stored since the start
	Rows    uint64    // likewise, of statistics
	Records uint64    // likewise, log records; those that were there already are counted again
	Batches uint64    // likewise, transactions
	Buried  uint64    // entries given to the dead letters
}

// Recorder writes what waits. Make it with New, and let one goroutine Run it.
type Recorder struct {
	options Options
	log     *slog.Logger
	hurry   chan struct{} // holds a token where waiting is to be cut short
	full    int           // batchSize

	mu      sync.Mutex
	state   State
	failure error         // of the last attempt that has failed
	changed chan struct{} // closed and replaced when one has
}

// New returns a recorder.
func New(o Options) *Recorder {
	return &Recorder{options: o, log: o.Logger, hurry: make(chan struct{}, 1), full: batchSize, changed: make(chan struct{})}
}

// State returns how the writing goes. It does not block.
func (r *Recorder) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Settle returns when everything that is in the queue when it is called is stored, or an attempt to write that was made
// since has failed: then with the reason. It cuts the wait for the next attempt short.
func (r *Recorder) Settle(ctx context.Context) error {
	r.mu.Lock()
	changed := r.changed
	r.mu.Unlock()
	select {
	case r.hurry <- struct{}{}:
	default:
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stored := make(chan error, 1)
	go func() { stored <- r.options.Reader.Wait(ctx) }() // ends when this call does
	select {
	case err := <-stored:
		return err
	case <-changed:
		cancel()
		if err := <-stored; err == nil {
			return nil
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.failure
	}
}

// Run writes until ctx ends. It may be called again after that, when Open returns another database, say: it begins with
// what the one before had begun and not done.
func (r *Recorder) Run(ctx context.Context) {
	r.options.Reader.Again()
	database, ok := r.open(ctx)
	if !ok {
		return
	}
	for {
		entries, err := r.options.Reader.Next(ctx, readBytes)
		if err != nil {
			r.attempted(err)
			if !r.pause(ctx, retryFirst) {
				return
			}
			continue
		}
		if !r.write(ctx, database, entries) {
			return
		}
	}
}

// open opens the database; false if ctx ended first.
func (r *Recorder) open(ctx context.Context) (Store, bool) {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		database, err := r.options.Open(ctx)
		if err == nil {
			r.available()
			return database, true
		}
		if ctx.Err() != nil {
			return nil, false
		}
		r.failed(err, wait)
		if !r.pause(ctx, wait) {
			return nil, false
		}
	}
}

// write writes what was read, however long that takes, and notes that it is done; false if ctx ended first.
func (r *Recorder) write(ctx context.Context, database Store, entries []queue.Entry) bool {
	done := func() error { return r.options.Reader.Done(ctx, entries[len(entries)-1].Position) }
	for left := entries; len(left) > 0; {
		b := decode(left, r.full)
		if left = left[b.entries:]; len(left) > 0 {
			b.done = func() error { return nil } // the queue knows no half of what it gave
		} else {
			b.done = done
		}
		if !r.writeBatch(ctx, database, b) {
			return false
		}
	}
	return true
}

// writeBatch is write for a batch of it.
func (r *Recorder) writeBatch(ctx context.Context, database Store, b *batch) bool {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		err := b.save(ctx, database)
		if err == nil {
			err = r.bury(ctx, b)
		}
		if err == nil {
			err = b.done()
		}
		switch {
		case err == nil:
			r.stored(b)
			return true
		case ctx.Err() != nil:
			return false
		case errors.Is(err, queue.ErrUnavailable):
			r.log.ErrorContext(ctx, "queue is not available", "err", err, "retry", wait)
			r.attempted(err)
		default:
			r.failed(err, wait)
		}
		if !r.pause(ctx, wait) {
			return false
		}
	}
}

// bury gives what can't be stored to the dead letters, each once.
func (r *Recorder) bury(ctx context.Context, b *batch) error {
	for len(b.refused) > 0 {
		refused := b.refused[0]
		r.log.ErrorContext(ctx, "entry can't be stored and becomes a dead letter", "kind", refused.entry.Kind,
			"id", refused.entry.ID, "err", refused.reason)
		dead := refused.entry
		dead.Kind = entry.ToStore(dead.Kind)
		if err := r.options.Dead.Bury(ctx, dead, refused.reason.Error()); err != nil {
			return err
		}
		b.refused = b.refused[1:]
		r.mu.Lock()
		r.state.Buried++
		r.mu.Unlock()
	}
	return nil
}

// stored notes that a batch is in the database.
func (r *Recorder) stored(b *batch) {
	r.available()
	if b.written > 0 {
		r.log.Info("reports stored", "visits", b.written, "statistics", b.rows)
	}
	if b.records > 0 {
		r.log.Info("log records stored", "records", b.records)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Visits += b.written
	r.state.Rows += b.rows
	r.state.Records += b.records
	r.state.Batches++
}

func (r *Recorder) available() {
	r.mu.Lock()
	away := r.state.Away
	r.state.Away, r.state.Reason = time.Time{}, nil
	r.mu.Unlock()
	if !away.IsZero() {
		r.log.Info("database is available again", "away", away)
	}
}

// failed notes that the database can't be used.
func (r *Recorder) failed(err error, retry time.Duration) {
	r.mu.Lock()
	if r.state.Away.IsZero() {
		r.state.Away = r.options.Now()
	}
	r.state.Reason = err
	away := r.state.Away
	r.mu.Unlock()
	backlog := r.options.Reader.Backlog()
	line := r.log.With("err", err, "away", away, "retry", retry, "waiting", backlog.Entries)
	if !backlog.Oldest.IsZero() {
		line = line.With("oldest", backlog.Oldest)
	}
	line.Error("database is not available: reports wait in the queue")
	r.attempted(err)
}

// attempted tells those who wait for the work to settle that it has failed for now.
func (r *Recorder) attempted(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = err
	close(r.changed)
	r.changed = make(chan struct{})
}

// pause waits; false if ctx ended.
func (r *Recorder) pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.hurry:
	case <-ctx.Done():
		return false
	}
	return true
}
