// Package controller is Muster's main controller: it takes a checked configuration, opens the parts (host keys, queue,
// database, mail), and sends visits over the fleet, once ("muster run") or at every interval ("muster serve").
//
// It owns the schedule, the bound on parallel visits, the rule that a host is never visited a second time while its
// first visit still runs (or waits for its turn), and the order in which things stop. It knows nothing of SSH, XML or
// SQL: it hands hosts to a visitor, puts what comes back into the durable queue, and then tells observers: the log and
// whoever else is to know. A visit waits for the queue, which is this machine's disk, and for nothing else. Two readers
// of the queue work at their own pace: the recorder feeds the database, the watch holds limits against reports and fills
// the outbox, which mails.
//
// # Stopping
//
// When the context of Run or Serve ends, visits under way are cancelled (their connections are closed) and put into the
// queue as such, and then the call returns; what is not stored or mailed by then is, by the next process. No goroutine
// outlives the call; Close then releases the data directory, the queue and the database.
package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"muster/internal/config"
	"muster/internal/deploy"
	"muster/internal/entry"
	"muster/internal/failure"
	"muster/internal/jump"
	"muster/internal/visit"
	"muster/internal/watch"
)

// Grace is how long Run waits, after the visits, for what they brought to be stored and mailed. What takes longer is done
// by the next process.
const Grace = 30 * time.Second

// stopGrace is how long Serve waits for the same when it is stopped.
const stopGrace = 5 * time.Second

// Options are what a controller is made of. Config, Logger and Clients are required.
type Options struct {
	Config    *config.Config
	Logger    *slog.Logger
	Clients   *deploy.Clients
	Observers []visit.Observer // told beside the controller's own, after them
	Now       func() time.Time // the clock; nil: time.Now
	Version   string           // of the program
}

// Summary is what one sweep came to.
type Summary struct {
	Sweep     time.Time      // the scheduled time that names the sweep
	Took      time.Duration  // until its end, storing and mailing included
	Hosts     int            // in the configuration
	Visited   int            // visits that ended with a report
	Failed    []*visit.Visit // in the order in which they ended; those that say nothing of their host are left out
	Raised    int            // alerts that began
	Ended     int            // alerts that are over
	Firing    int            // alerts that hold now
	Unkept    int            // visits that the queue did not take, and whose reports are lost
	Cancelled bool           // some host was not visited, or not to the end, because the context ended
}

// ErrUnusable is in the chain of every error that says that the data directory, the queue, the database or the mail
// server could not be used.
var ErrUnusable = errors.New("could not be used")

// visitor is what the controller needs of package visit.
type visitor interface {
	Visit(ctx context.Context, host visit.Host, sweep time.Time) *visit.Visit
}

// follower is what comes after the visits: who stores, judges and mails what is in the queue.
type follower interface {
	// start starts the work; stop ends it and waits for its end.
	start() (stop func())
	// settle returns when everything that is in the queue is worked on, with what could not be, or when ctx ends.
	settle(ctx context.Context) error
	settleBriefly(ctx context.Context)
	counts(sweep time.Time) watch.Counts
	conditions(unkept int, reason error) []entry.Condition
	checkMail(ctx context.Context)
	// serve answers questions about health until ctx ends; wait waits for that. The error says that it can't.
	serve(ctx context.Context) (wait func(), err error)
}

// Controller visits a fleet. Make it with New; Run and Serve must not be called at the same time.
type Controller struct {
	config    *config.Config
	log       *slog.Logger
	now       func() time.Time
	visitor   visitor
	hosts     *hosts
	keeper    *keeper
	behind    follower
	observers visit.Observers
	slots     chan struct{} // one for each visit that may run at once
	closers   []io.Closer   // closed last in, first out

	mu      sync.Mutex
	claimed map[string]struct{} // hosts that a sweep visits, or is going to
	last    time.Time           // the sweep before
}

// New locks the data directory, opens the queue and takes up alerts and mails where they stood. The database is opened
// (created and migrated where necessary) as soon as it can be: reports wait for it. Errors wrap ErrUnusable where a part
// could not be used. The caller owns the result and must Close it.
func New(ctx context.Context, o Options) (_ *Controller, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Controller{
		config:  o.Config,
		log:     o.Logger,
		now:     o.Now,
		slots:   make(chan struct{}, o.Config.Server.Parallel),
		claimed: make(map[string]struct{}),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()

	lock, err := lockData(o.Config.Server.Data)
	if err != nil {
		return nil, fmt.Errorf("data directory %s %w: %w", o.Config.Server.Data, ErrUnusable, err)
	}
	c.closers = append(c.closers, lock)
	behind, err := newPipeline(ctx, o)
	c.closers = append(c.closers, behind)
	if err != nil {
		return nil, err
	}
	c.behind, c.keeper = behind, newKeeper(behind.queue, o.Config.Hosts)
	pool := jump.New(jump.Options{Logger: o.Logger})
	c.closers = append(c.closers, pool)
	c.hosts = newHosts(o.Config.Hosts, behind.guard, pool, o.Logger)
	visitor := visit.New(visit.Options{Clients: o.Clients, Logger: o.Logger, Now: o.Now})
	c.visitor, behind.connections = visitor, visitor.Connections
	behind.health = newHealth(behind, o)
	c.observers = append(visit.Observers{newJournal(o.Logger), behind.health}, o.Observers...)
	return c, nil
}

// Close releases what New acquired. It is called once, after Run or Serve has returned.
func (c *Controller) Close() error {
	var errs []error
	for i := len(c.closers) - 1; i >= 0; i-- {
		errs = append(errs, c.closers[i].Close())
	}
	c.closers = nil
	return errors.Join(errs...)
}

// Run makes one sweep now and returns what it came to, after everything was stored and mailed. The error says what was
// not, and wraps ErrUnusable; failed visits are in the summary.
func (c *Controller) Run(ctx context.Context) (Summary, error) {
	stop := c.behind.start()
	defer stop()
	started := c.now()
	summary, err := c.sweep(ctx, c.schedule(started))
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), Grace)
	defer cancel()
	err = errors.Join(err, c.behind.settle(grace))
	counts := c.behind.counts(summary.Sweep)
	summary.Raised, summary.Ended, summary.Firing = counts.Raised, counts.Ended, counts.Firing
	summary.Took = c.now().Sub(started)
	return summary, err
}

// Serve makes a sweep now and one at every interval, until ctx ends. A sweep begins on time even while visits of the one
// before still run; their hosts are left out of it. What goes wrong then is logged. The error says that the server could not
// begin.
func (c *Controller) Serve(ctx context.Context) error {
	served, err := c.behind.serve(ctx)
	if err != nil {
		return err
	}
	defer served()
	stop := c.behind.start()
	defer stop()
	ticker := time.NewTicker(c.config.Server.Interval)
	defer ticker.Stop()
	var sweeps sync.WaitGroup
	sweeps.Go(func() { c.behind.checkMail(ctx) })
	for {
		scheduled := c.schedule(c.now())
		sweeps.Go(func() {
			if _, err := c.sweep(ctx, scheduled); err != nil {
				c.log.Error("sweep ended with errors", "sweep", scheduled, "err", err)
			}
		})
		select {
		case <-ticker.C:
			continue
		case <-ctx.Done():
		}
		c.log.Info("stopping")
		sweeps.Wait()
		c.behind.settleBriefly(context.WithoutCancel(ctx))
		return nil
	}
}

// schedule returns the time that names a sweep: now in UTC to the millisecond, and later than the sweep before even
// where the clock was set back, since two sweeps of one name would be one in the database.
func (c *Controller) schedule(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	scheduled := now.UTC().Truncate(time.Millisecond)
	if !scheduled.After(c.last) {
		scheduled = c.last.Add(time.Millisecond)
	}
	c.last = scheduled
	return scheduled
}

// sweep visits every host once and returns when all visits of the sweep have ended and are in the queue.
func (c *Controller) sweep(ctx context.Context, scheduled time.Time) (Summary, error) {
	started := c.now()
	sweep := visit.Sweep{Time: scheduled, Hosts: c.hosts.Len()}
	tally := &tally{summary: Summary{Sweep: scheduled, Hosts: sweep.Hosts}}
	c.observers.SweepStarted(ctx, sweep)

	// What has come home is kept even if the sweep is cancelled.
	told := context.WithoutCancel(ctx)
	record := entry.Sweep{Time: scheduled, Started: started, Hosts: sweep.Hosts}
	if err := c.keeper.sweep(told, &record); err != nil {
		c.log.ErrorContext(ctx, "the start of a sweep is not kept", "sweep", scheduled, "err", err)
	}
	end := func(v *visit.Visit) {
		err := c.keeper.visit(told, v)
		tally.add(v, err)
		if err == nil {
			c.log.DebugContext(ctx, "visit kept", "host", v.Host, "visit", v.ID)
		}
		c.observers.Visited(told, v)
	}
	due := c.claim(scheduled, end)
	var visits sync.WaitGroup
	for i, d := range due {
		if !c.slot(ctx) {
			c.release(due[i:]...)
			tally.cancel()
			break
		}
		visits.Go(func() {
			defer func() { <-c.slots }()
			defer c.release(d)
			if d.unusable != nil {
				end(visit.Failed(d.host, scheduled, d.unusable))
				return
			}
			end(c.visitor.Visit(ctx, d.host, scheduled))
		})
	}
	visits.Wait()

	summary, lost := tally.result()
	record.Ended, record.Visited, record.Failed = c.now(), summary.Visited+len(summary.Failed), len(summary.Failed)
	record.Conditions = c.behind.conditions(summary.Unkept, lost)
	var err error
	if lost != nil {
		err = fmt.Errorf("queue %w: %w: %d of %d: %w", ErrUnusable, errUnkept, summary.Unkept, record.Visited, lost)
	}
	if failed := c.keeper.sweep(told, &record); failed != nil {
		err = errors.Join(err, fmt.Errorf("queue %w: the end of the sweep is not kept: its news is mailed with the next: %w", ErrUnusable, failed))
	}
	err = errors.Join(err, c.observers.SweepEnded(told, sweep))
	summary.Took = c.now().Sub(started)
	c.log.InfoContext(told, "sweep ended", "sweep", scheduled, "took", summary.Took, "hosts", summary.Hosts,
		"reported", summary.Visited, "failed", len(summary.Failed), "unkept", summary.Unkept, "cancelled", summary.Cancelled)
	return summary, err
}

// slot waits for a free slot; false if ctx ended first.
func (c *Controller) slot(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case c.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// due is a host that a sweep is going to visit. No other sweep does until it is released.
type due struct {
	host     visit.Host
	unusable *failure.Error // a key or known_hosts file that it needs
}

// claim returns the hosts that a sweep is to visit. Those that an earlier sweep visits, or is still going to, are left
// out as busy, which end is told: sweeps that take longer than the interval don't pile up.
func (c *Controller) claim(scheduled time.Time, end func(*visit.Visit)) []due {
	hosts := make([]due, 0, c.hosts.Len())
	for host, unusable := range c.hosts.All() {
		c.mu.Lock()
		_, busy := c.claimed[host.Name]
		c.claimed[host.Name] = struct{}{}
		c.mu.Unlock()
		if busy {
			end(visit.Busy(host, scheduled))
			continue
		}
		hosts = append(hosts, due{host, unusable})
	}
	return hosts
}

func (c *Controller) release(hosts ...due) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range hosts {
		delete(c.claimed, d.host.Name)
	}
}

// tally counts the visits of one sweep as they end.
type tally struct {
	mu      sync.Mutex
	summary Summary
	lost    error // why a visit could not be kept
}

func (t *tally) add(v *visit.Visit, lost error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if lost != nil {
		t.summary.Unkept++
		t.lost = lost
	}
	switch {
	case v.Failure == nil:
		t.summary.Visited++
	case v.Failure.Kind == failure.Cancelled:
		t.summary.Cancelled = true
	case !saysNothing(v):
		t.summary.Failed = append(t.summary.Failed, v)
	}
}

// cancel notes that hosts are left unvisited.
func (t *tally) cancel() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.summary.Cancelled = true
}

// result returns the summary, and why visits could not be kept; nil: all were.
func (t *tally) result() (Summary, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.summary, t.lost
}
