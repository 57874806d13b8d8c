package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/internal/config"
	"muster/internal/store"
	"muster/internal/visit"
)

const (
	batchVisits       = 500              // visits in one transaction, at most …
	batchStatistics   = 100_000          // … and statistics, unless one visit has more
	backlogVisits     = 20_000           // visits that wait for the database, at most …
	backlogStatistics = 2_000_000        // … and statistics: some 200 MB
	retryFirst        = time.Second      // before the second attempt to write a batch …
	retryMost         = 30 * time.Second // … doubled each time up to this
)

// saver is what the recorder needs of the store.
type saver interface {
	Save(ctx context.Context, visits []store.Visit) error
	SaveSweep(ctx context.Context, sweep store.Sweep) error
}

// recorder is the observer that feeds the store. Visits wait in memory until one goroutine has written them, in batches
// that grow with the backlog, so that a visit never waits for the database. While the database is away the recorder
// tries again; past the bounds of the backlog it drops the oldest and says so, in the log and in the error of their sweep.
type recorder struct {
	store  saver
	log    *slog.Logger
	now    func() time.Time
	groups map[string]string // host → its groups, web/front

	stop    context.CancelFunc
	stopped chan struct{}
	wake    chan struct{} // holds one token where there may be work

	mu         sync.Mutex
	backlog    []store.Visit
	statistics int // in the backlog
	sweeps     map[time.Time]*progress
	late       []store.Sweep // over, and not noted so yet
	away       bool          // the last attempt to write failed
}

// progress is how far the recording of one sweep has got.
type progress struct {
	row     store.Sweep
	left    bool          // nobody waits any more
	waiting int           // visits not yet written
	lost    int           // visits that will never be
	reason  error         // why the last attempt failed
	changed chan struct{} // closed and replaced whenever waiting changes
}

func newRecorder(s saver, configured []config.Host, log *slog.Logger, now func() time.Time) *recorder {
	ctx, stop := context.WithCancel(context.Background())
	r := &recorder{
		store:   s,
		log:     log,
		now:     now,
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

// Close ends the writing and waits for it. What SweepEnded has waited for is written; the error says how much is not.
func (r *recorder) Close() error {
	r.stop()
	<-r.stopped
	n := len(r.backlog)
	if n == 0 {
		return nil
	}
	r.log.Error("visits are lost: the server ends and the database is away", "visits", n)
	return fmt.Errorf("database %w: visits that are lost: %d", ErrUnusable, n)
}

func (r *recorder) SweepStarted(_ context.Context, s visit.Sweep) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweeps[s.Time] = &progress{
		row:     store.Sweep{Time: s.Time, Started: r.now(), Hosts: s.Hosts},
		changed: make(chan struct{}),
	}
}

func (r *recorder) Visited(_ context.Context, v *visit.Visit) {
	row := r.row(v)
	r.mu.Lock()
	for len(r.backlog) > 0 && (len(r.backlog) >= backlogVisits || r.statistics+weight(&row) > backlogStatistics) {
		r.drop(errors.New("too much waits for the database"))
	}
	r.backlog = append(r.backlog, row)
	r.statistics += weight(&row)
	if p := r.sweeps[v.Sweep]; p != nil {
		p.waiting++
		if !row.Skipped {
			p.row.Visited++
			if v.Failure != nil {
				p.row.Failed++
			}
		}
	}
	r.mu.Unlock()
	r.nudge()
}

// nudge tells the writer that there may be work.
func (r *recorder) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// weight is how many statistics a visit has.
func weight(v *store.Visit) int {
	if v.Report == nil {
		return 0
	}
	return len(v.Report.Statistics)
}

// SweepEnded waits until every visit of the sweep is written, or ctx ends, and notes the end of the sweep. Its error says
// how many visits are not stored and why; those that wait still may be, later, and the sweep's end with them.
func (r *recorder) SweepEnded(ctx context.Context, s visit.Sweep) error {
	ended := r.now()
	err := r.wait(ctx, s.Time)
	r.mu.Lock()
	p := r.sweeps[s.Time]
	p.row.Ended, p.left = ended, true
	row, waits := p.row, p.waiting > 0
	if !waits {
		delete(r.sweeps, s.Time)
	}
	r.mu.Unlock()
	if waits {
		return err
	}
	if failed := r.store.SaveSweep(ctx, row); failed != nil {
		r.mu.Lock()
		r.late = append(r.late, row)
		r.mu.Unlock()
		r.nudge()
		return errors.Join(err, fmt.Errorf("database %w: the end of the sweep: %w", ErrUnusable, failed))
	}
	return err
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
		batch, sweeps := r.next()
		if len(batch)+len(sweeps) == 0 {
			select {
			case <-r.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := r.save(ctx, batch)
		if err == nil {
			err = r.saveSweeps(ctx, sweeps)
		}
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

// next returns the oldest visits of the backlog, and leaves them there, and the sweeps whose end is to be noted.
func (r *recorder) next() ([]store.Visit, []store.Sweep) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, statistics := 0, 0
	for n < min(len(r.backlog), batchVisits) {
		statistics += weight(&r.backlog[n])
		if n > 0 && statistics > batchStatistics {
			break
		}
		n++
	}
	return slices.Clone(r.backlog[:n]), slices.Clone(r.late)
}

// save writes a batch and takes it off the backlog. Where the database takes some of its visits but not the batch, those
// that it refuses are given up, so that one that can't be stored costs only itself. A database that takes none of them is
// away, whatever it says.
func (r *recorder) save(ctx context.Context, batch []store.Visit) error {
	if len(batch) == 0 {
		return nil
	}
	err := r.store.Save(ctx, batch)
	if err == nil {
		r.done(batch, make([]error, len(batch)))
		return nil
	}
	if errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	outcomes := make([]error, 0, len(batch))
	taken := false
	for i := range batch {
		refused := r.store.Save(ctx, batch[i:i+1])
		if errors.Is(refused, store.ErrUnavailable) || ctx.Err() != nil {
			err = cmp.Or(refused, ctx.Err())
			break
		}
		outcomes = append(outcomes, refused)
		taken = taken || refused == nil
	}
	if !taken {
		return err
	}
	for i, refused := range outcomes {
		if refused != nil {
			r.log.Error("visit can't be stored and is given up", "host", batch[i].Host, "visit", batch[i].ID, "err", refused)
		}
	}
	r.done(batch[:len(outcomes)], outcomes)
	if len(outcomes) < len(batch) {
		return err
	}
	return nil
}

// saveSweeps notes the end of sweeps whose visits came late.
func (r *recorder) saveSweeps(ctx context.Context, sweeps []store.Sweep) error {
	for _, s := range sweeps {
		if err := r.store.SaveSweep(ctx, s); err != nil {
			return err
		}
		r.mu.Lock()
		r.late = r.late[1:]
		r.mu.Unlock()
	}
	return nil
}

// done takes visits off the backlog; an outcome is why one never will be written, nil that it is.
func (r *recorder) done(batch []store.Visit, outcomes []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range batch {
		// Some of the oldest may have been dropped meanwhile.
		if len(r.backlog) > 0 && r.backlog[0].ID == batch[i].ID {
			r.forget(outcomes[i])
		}
	}
	if r.away {
		r.away = false
		r.log.Info("database is available again", "waiting", len(r.backlog))
	}
}

// forget takes the oldest visit off the backlog; err is why it is lost, nil that it is stored. mu is held.
func (r *recorder) forget(err error) {
	sweep := r.backlog[0].Sweep
	r.statistics -= weight(&r.backlog[0])
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
	if p.left && p.waiting == 0 {
		delete(r.sweeps, sweep)
		r.late = append(r.late, p.row)
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// drop gives up the oldest visit. mu is held.
func (r *recorder) drop(reason error) {
	r.log.Error("visit is lost", "host", r.backlog[0].Host, "visit", r.backlog[0].ID, "err", reason)
	r.forget(reason)
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
