package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"muster/internal/config"
	"muster/internal/store"
	"muster/internal/visit"
)

const (
	batchSize  = 500              // visits in one transaction, at most
	backlogMax = 20_000           // visits that wait for the database, at most; some 200 MB
	retryFirst = time.Second      // before the second attempt to write a batch …
	retryMost  = 30 * time.Second // … doubled each time up to this
)

// saver is what the recorder needs of the store.
type saver interface {
	Save(ctx context.Context, visits []store.Visit) error
	SaveSweep(ctx context.Context, sweep store.Sweep) error
}

// recorder is the observer that feeds the store. Visits wait in memory until one goroutine has written them, in batches
// that grow with the backlog, so that a visit never waits for the database. While the database is away the recorder
// tries again; past backlogMax it drops the oldest and says so, in the log and in the error of their sweep.
type recorder struct {
	store  saver
	log    *slog.Logger
	groups map[string]string // host → its groups, web/front

	stop    context.CancelFunc
	stopped chan struct{}
	wake    chan struct{} // holds one token where there may be work

	mu      sync.Mutex
	backlog []store.Visit
	sweeps  map[time.Time]*progress
	away    bool // the last attempt to write failed
}

// progress is how far the recording of one sweep has got.
type progress struct {
	row     store.Sweep
	waiting int           // visits not yet written
	lost    int           // visits that will never be
	reason  error         // why the last attempt failed
	changed chan struct{} // closed and replaced whenever waiting changes
}

func newRecorder(s saver, configured []config.Host, log *slog.Logger) *recorder {
	ctx, stop := context.WithCancel(context.Background())
	r := &recorder{
		store:   s,
		log:     log,
		groups:  make(map[string]string, len(configured)),
		stop:    stop,
		stopped: make(chan struct{}),
		wake:    make(chan struct{}, 1),
		sweeps:  make(map[time.Time]*progress),
	}
	for _, h := range configured {
		r.groups[h.Name] = strings.Join(h.Groups, "/")
	}
	go func() {
		defer close(r.stopped)
		r.write(ctx)
	}()
	return r
}

// Close ends the writing and waits for it. What SweepEnded has waited for is written; the rest is logged as lost.
func (r *recorder) Close() error {
	r.stop()
	<-r.stopped
	if n := len(r.backlog); n > 0 {
		r.log.Error("visits were not stored", "visits", n)
	}
	return nil
}

func (r *recorder) SweepStarted(_ context.Context, s visit.Sweep) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweeps[s.Time] = &progress{
		row:     store.Sweep{Time: s.Time, Started: time.Now(), Hosts: s.Hosts},
		changed: make(chan struct{}),
	}
}

func (r *recorder) Visited(_ context.Context, v *visit.Visit) {
	row := r.row(v)
	r.mu.Lock()
	if len(r.backlog) >= backlogMax {
		r.drop(1, errors.New("too many visits wait for the database"))
	}
	r.backlog = append(r.backlog, row)
	if p := r.sweeps[v.Sweep]; p != nil {
		p.waiting++
		p.row.Visited++
		if v.Failure != nil && !saysNothing(v) {
			p.row.Failed++
		}
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// SweepEnded waits until every visit of the sweep is written, or ctx ends, and notes the end of the sweep. Its error says
// how many visits are not stored and why; those that wait still may be, later.
func (r *recorder) SweepEnded(ctx context.Context, s visit.Sweep) error {
	err := r.wait(ctx, s.Time)
	r.mu.Lock()
	p := r.sweeps[s.Time]
	delete(r.sweeps, s.Time)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	p.row.Ended = time.Now()
	if err := r.store.SaveSweep(ctx, p.row); err != nil {
		return fmt.Errorf("database %w: the end of the sweep: %w", ErrUnusable, err)
	}
	return nil
}

func (r *recorder) wait(ctx context.Context, sweep time.Time) error {
	for {
		r.mu.Lock()
		p := *r.sweeps[sweep]
		r.mu.Unlock()
		switch {
		case p.waiting == 0 && p.lost == 0:
			return nil
		case p.waiting == 0:
			return fmt.Errorf("database %w: visits that were not stored: %d: %w", ErrUnusable, p.lost, p.reason)
		case ctx.Err() != nil:
			reason := cmp.Or(p.reason, ctx.Err())
			return fmt.Errorf("database %w: visits that are not stored yet: %d: %w", ErrUnusable, p.waiting+p.lost, reason)
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
		}
	}
}

// write writes the backlog until ctx ends.
func (r *recorder) write(ctx context.Context) {
	pause := retryFirst
	for {
		batch := r.next()
		if len(batch) == 0 {
			select {
			case <-r.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := r.save(ctx, batch)
		if err == nil {
			pause = retryFirst
			continue
		}
		if ctx.Err() != nil {
			return
		}
		r.failed(err, pause)
		select {
		case <-time.After(pause):
			pause = min(2*pause, retryMost)
		case <-ctx.Done():
			return
		}
	}
}

// next returns the oldest visits of the backlog, and leaves them there.
func (r *recorder) next() []store.Visit {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]store.Visit(nil), r.backlog[:min(len(r.backlog), batchSize)]...)
}

// save writes a batch and takes it off the backlog. Where the database takes other visits but not the batch, they are
// tried one by one, so that one that can't be stored costs only itself.
func (r *recorder) save(ctx context.Context, batch []store.Visit) error {
	err := r.store.Save(ctx, batch)
	if err == nil {
		r.done(batch, nil)
		return nil
	}
	if errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	for i := range batch {
		one := batch[i : i+1]
		err := r.store.Save(ctx, one)
		if errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			r.log.Error("visit can't be stored", "host", one[0].Host, "visit", one[0].ID, "err", err)
		}
		r.done(one, err)
	}
	return nil
}

// done takes the written visits off the backlog; err is why they never will be.
func (r *recorder) done(batch []store.Visit, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Some of the oldest may have been dropped meanwhile.
	for i := range batch {
		if len(r.backlog) > 0 && r.backlog[0].ID == batch[i].ID {
			r.forget(batch[i].Sweep, err)
		}
	}
	if r.away && err == nil {
		r.away = false
		r.log.Info("database is available again", "waiting", len(r.backlog))
	}
}

// forget takes the oldest visit off the backlog; err is why it is lost, nil that it is stored. mu is held.
func (r *recorder) forget(sweep time.Time, err error) {
	r.backlog[0] = store.Visit{}
	r.backlog = r.backlog[1:]
	p := r.sweeps[sweep]
	if p == nil {
		return
	}
	p.waiting--
	if err != nil {
		p.lost++
		p.reason = err
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// drop gives up the n oldest visits. mu is held.
func (r *recorder) drop(n int, reason error) {
	for range n {
		oldest := r.backlog[0]
		r.log.Error("visit is lost", "host", oldest.Host, "visit", oldest.ID, "err", reason)
		r.forget(oldest.Sweep, reason)
	}
}

// failed notes that the database is away, for the log and for those who wait.
func (r *recorder) failed(err error, pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = true
	r.log.Error("database is not available", "err", err, "waiting", len(r.backlog), "retry", pause)
	for _, p := range r.sweeps {
		p.reason = err
	}
}

// row returns the visit as the store takes it.
func (r *recorder) row(v *visit.Visit) store.Visit {
	row := store.Visit{
		ID:       v.ID,
		Sweep:    v.Sweep,
		Host:     v.Host,
		Groups:   r.groups[v.Host],
		Address:  v.Address,
		Started:  v.Started,
		Took:     v.Took,
		Sent:     v.Sent,
		Received: v.Received,
		Uploaded: v.Uploaded,
		Skipped:  saysNothing(v),
		Log:      v.Log,
		Stages:   make(map[string]time.Duration, len(v.Stages)),
		Report:   v.Report,
	}
	for _, s := range v.Stages {
		row.Stages[string(s.Stage)] += s.Took
	}
	if f := v.Failure; f != nil {
		row.Stage = string(f.Stage)
		row.Kind = string(f.Kind)
		row.Error = f.Err.Error()
		row.Advice = f.Help()
	}
	return row
}
