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
	"sync/atomic"
	"time"

	"muster/internal/config"
	"muster/internal/deploy"
	"muster/internal/entry"
	"muster/internal/jump"
	"muster/internal/passwords"
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
	// Load reads the configuration anew, for Reload; nil: there is nothing to be reloaded. One that is returned is complete.
	Load    func(ctx context.Context) (*config.Config, error)
	Adopted func()  // called when the configuration that was read last is the one in use; nil: nothing is
	Manager Manager // told how Serve does; nil: nobody is
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
	Skipped   int            // hosts passed over because their last visit still runs, or because they fail
	Records   int            // log records that were kept
	Unread    int            // hosts of whose logs one or more could not be read, or not to the end
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
	// reload checks another configuration and returns what takes it over from the one before.
	reload(ctx context.Context, next *config.Config, changed changes) (apply func(ctx context.Context), err error)
	alerts() (firing int)
	// stuck is closed where nothing can be kept any more until another process is started; nil: never.
	stuck() <-chan struct{}
}

// Controller visits a fleet. Make it with New; Run and Serve must not be called at the same time.
type Controller struct {
	log       *slog.Logger
	now       func() time.Time
	plan      atomic.Pointer[plan] // the configuration in use
	pool      *jump.Pool           // of connections to jump hosts; nil: no visit goes through any
	guard     *passwords.Guard     // nil: nobody is asked before a password is sent
	visitor   visitor
	keeper    *keeper
	logs      *logbook // nil: no logs are read
	behind    follower
	observers visit.Observers
	gate      *gate
	backoff   *backoff
	names     names
	closers   []io.Closer // closed last in, first out

	load      func(ctx context.Context) (*config.Config, error)
	adopted   func()
	forget    func(keep func(host string) bool) // what is remembered of hosts that are not kept
	manager   Manager
	reloading chan struct{} // holds a token while the configuration can be reloaded and nobody does
	changed   chan struct{} // holds a token where another plan is in use

	mu      sync.Mutex
	claimed map[string]time.Time // hosts that a sweep visits, or is going to, with the beginning of the visit; zero: it waits
	state   Serving
}

// New locks the data directory, opens the queue and takes up alerts and mails where they stood. The database is opened
// (created and migrated where necessary) as soon as it can be: reports wait for it. Errors wrap ErrUnusable where a part
// could not be used. The caller owns the result and must Close it.
func New(ctx context.Context, o Options) (_ *Controller, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := newController(o)
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
	c.behind, c.keeper = behind, &keeper{behind.queue}
	c.logs = newLogbook(o.Logger, behind.mirror, c.keeper, behind.usage, o.Config.Server.Parallel)
	c.logs.adopt(ctx, o.Config)
	behind.logs = c.logs
	c.pool, c.guard = jump.New(jump.Options{Logger: o.Logger}), behind.guard
	c.closers = append(c.closers, c.pool)
	c.plan.Store(c.newPlan(o.Config))
	visitor := visit.New(visit.Options{Clients: o.Clients, Logger: o.Logger, Now: o.Now})
	c.visitor, c.forget, behind.connections = visitor, visitor.Forget, visitor.Connections
	behind.due = c.backoff.forget
	behind.health = newHealth(behind, o)
	c.control(behind.health)
	c.observers = append(visit.Observers{newJournal(o.Logger), behind.health}, o.Observers...)
	return c, nil
}

// newController returns a controller with nothing behind it.
func newController(o Options) *Controller {
	c := &Controller{
		log:       o.Logger,
		now:       o.Now,
		gate:      newGate(o.Config.Server.Parallel),
		backoff:   newBackoff(),
		load:      o.Load,
		adopted:   o.Adopted,
		forget:    func(func(string) bool) {},
		manager:   o.Manager,
		reloading: make(chan struct{}, 1),
		changed:   make(chan struct{}, 1),
		claimed:   make(map[string]time.Time),
		state:     Serving{Loaded: o.Now()},
	}
	if c.manager == nil {
		c.manager = unmanaged{}
	}
	if c.adopted == nil {
		c.adopted = func() {}
	}
	c.plan.Store(c.newPlan(o.Config))
	return c
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
	p := c.plan.Load()
	summary, err := c.sweep(ctx, order{name: c.names.name(started), begun: time.Now(), plan: p, turns: p.atOnce(), asked: true})
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), Grace)
	defer cancel()
	err = errors.Join(err, c.behind.settle(grace))
	counts := c.behind.counts(summary.Sweep)
	summary.Raised, summary.Ended, summary.Firing = counts.Raised, counts.Ended, counts.Firing
	summary.Took = c.now().Sub(started)
	return summary, err
}

// newPlan makes a plan of a configuration, which is to take the place of the one in use.
func (c *Controller) newPlan(next *config.Config) *plan {
	h := newHosts(c.guard, c.pool, c.log)
	if before := c.plan.Load(); before != nil {
		h.follow(before.hosts)
	}
	return newPlan(next, h)
}
