// Package controller is Muster's main controller: it takes a checked configuration, opens the parts (host keys, database,
// mail), and sends visits over the fleet, once ("muster run") or at every interval ("muster serve").
//
// It owns the schedule, the bound on parallel visits, the rule that a host is never visited a second time while its
// first visit still runs (or waits for its turn), and the order in which things stop. It knows nothing of SSH, XML or SQL: it hands hosts to a
// visitor and what comes back to observers: the log, the recorder (which feeds the store) and the watch (which evaluates
// limits and mails). A visit waits for none of them.
//
// # Stopping
//
// When the context of Run or Serve ends, visits under way are cancelled (their connections are closed), what they
// brought is stored and mailed within Grace, and then the call returns. No goroutine outlives it; Close then releases
// the data directory and the database.
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
	"muster/internal/failure"
	"muster/internal/mail"
	"muster/internal/store"
	"muster/internal/visit"
)

// Grace is how long the end of a sweep may take: what was brought home is stored and mailed within it.
const Grace = 30 * time.Second

// Options are what a controller is made of. Config, Logger and Clients are required.
type Options struct {
	Config    *config.Config
	Logger    *slog.Logger
	Clients   *deploy.Clients
	Observers []visit.Observer // told beside the controller's own, after them
	Now       func() time.Time // the clock; nil: time.Now
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
	Cancelled bool           // some host was not visited, or not to the end, because the context ended
}

// ErrUnusable is in the chain of every error that says that the data directory, the database or the mail server could
// not be used.
var ErrUnusable = errors.New("could not be used")

// visitor is what the controller needs of package visit.
type visitor interface {
	Visit(ctx context.Context, host visit.Host, sweep time.Time) *visit.Visit
}

// Controller visits a fleet. Make it with New; Run and Serve must not be called at the same time.
type Controller struct {
	config    *config.Config
	log       *slog.Logger
	now       func() time.Time
	visitor   visitor
	hosts     *hosts
	watch     *watch
	observers visit.Observers
	slots     chan struct{} // one for each visit that may run at once
	closers   []io.Closer   // closed last in, first out

	mu      sync.Mutex
	claimed map[string]struct{} // hosts that a sweep visits, or is going to
	last    time.Time           // the sweep before
}

// New locks the data directory, opens the database (it is created and migrated where necessary) and takes up the
// alerts where they stood. Errors wrap ErrUnusable where a part could not be used. The caller owns the result and must
// Close it.
func New(ctx context.Context, o Options) (_ *Controller, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Controller{
		config:  o.Config,
		log:     o.Logger,
		now:     o.Now,
		hosts:   newHosts(o.Config.Hosts),
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

	database, err := OpenStore(ctx, o.Config.Database, false, o.Logger)
	if err != nil {
		return nil, err
	}
	c.closers = append(c.closers, database)
	o.Logger.Info("database is available", "database", database.String())

	recorder := newRecorder(database, o.Config.Hosts, o.Logger, o.Now)
	c.closers = append(c.closers, recorder)

	sender, err := newSender(o.Config.Mail)
	if err != nil {
		return nil, err
	}
	c.watch, err = newWatch(ctx, watchOptions{
		Config: o.Config, Store: database, Sender: sender, Logger: o.Logger, Now: o.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("database %w: alerts: %w", ErrUnusable, err)
	}
	c.visitor = visit.New(visit.Options{Clients: o.Clients, Logger: o.Logger, Now: o.Now})
	c.observers = append(visit.Observers{newJournal(o.Logger), recorder, c.watch}, o.Observers...)
	return c, nil
}

// ErrConfiguration is in the chain of errors that say that the configuration can't be meant so, though it could be read.
var ErrConfiguration = errors.New("configuration")

// OpenStore opens the database that the configuration names, and with asItIs leaves it as it is (store.Options). The error
// wraps ErrConfiguration, or ErrUnusable, or is ctx's. The caller closes the store.
func OpenStore(ctx context.Context, c config.Database, asItIs bool, log *slog.Logger) (*store.Store, error) {
	database, err := store.Open(ctx, store.Options{URL: c.URL, Password: c.Password.Reveal(), Logger: log, AsItIs: asItIs})
	switch {
	case errors.Is(err, store.ErrURL):
		return nil, fmt.Errorf("%w: database: %w", ErrConfiguration, err)
	case err != nil && ctx.Err() != nil:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("database %w: %w", ErrUnusable, err)
	}
	return database, nil
}

// newSender returns what sends mails, nil where no mail server is configured.
func newSender(c *config.Mail) (sender, error) {
	if c == nil {
		return nil, nil
	}
	s, err := mail.New(mail.Server{
		Host: c.Host, Port: c.Port, Security: c.Security, Username: c.Username, Password: c.Password.Reveal(),
		From: c.From, CA: c.CA, Timeout: c.Timeout,
	})
	if err != nil {
		return nil, fmt.Errorf("mail server %w: %w", ErrUnusable, err)
	}
	return s, nil
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

// Run makes one sweep now and returns what it came to. The error is that of the store or the mail server; failed visits
// are in the summary.
func (c *Controller) Run(ctx context.Context) (Summary, error) {
	return c.sweep(ctx, c.schedule(c.now()))
}

// Serve makes a sweep now and one at every interval, until ctx ends. A sweep begins on time even while visits of the one
// before still run; their hosts are left out of it. What goes wrong is logged; Serve itself returns nil.
func (c *Controller) Serve(ctx context.Context) error {
	ticker := time.NewTicker(c.config.Server.Interval)
	defer ticker.Stop()
	var sweeps sync.WaitGroup
	defer sweeps.Wait()
	sweeps.Go(func() { c.watch.Check(ctx) })
	for {
		scheduled := c.schedule(c.now())
		sweeps.Go(func() {
			if _, err := c.sweep(ctx, scheduled); err != nil {
				c.log.Error("sweep ended with errors", "sweep", scheduled, "err", err)
			}
		})
		select {
		case <-ticker.C:
		case <-ctx.Done():
			c.log.Info("stopping", "grace", Grace)
			return nil
		}
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

// sweep visits every host once and returns when all visits of the sweep have ended and the observers are done with it.
func (c *Controller) sweep(ctx context.Context, scheduled time.Time) (Summary, error) {
	started := c.now()
	sweep := visit.Sweep{Time: scheduled, Hosts: c.hosts.Len()}
	tally := &tally{summary: Summary{Sweep: scheduled, Hosts: sweep.Hosts}}
	c.observers.SweepStarted(ctx, sweep)

	// What has come home is kept even if the sweep is cancelled.
	told := context.WithoutCancel(ctx)
	end := func(v *visit.Visit) {
		tally.add(v)
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

	grace, cancel := context.WithTimeout(told, Grace)
	defer cancel()
	err := c.observers.SweepEnded(grace, sweep)
	summary := tally.result()
	summary.Raised, summary.Ended, summary.Firing = c.watch.Counts(scheduled)
	summary.Took = c.now().Sub(started)
	c.log.InfoContext(told, "sweep ended", "sweep", scheduled, "took", summary.Took, "hosts", summary.Hosts,
		"visited", summary.Visited, "failed", len(summary.Failed), "alerts", summary.Firing,
		"cancelled", summary.Cancelled)
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
}

func (t *tally) add(v *visit.Visit) {
	t.mu.Lock()
	defer t.mu.Unlock()
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

func (t *tally) result() Summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.summary
}
