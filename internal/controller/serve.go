package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"muster/internal/queue"
)

// Manager is whoever started the server and watches over it, such as systemd. Its methods don't wait for anybody, and have
// nothing to say when nobody listens.
type Manager interface {
	Ready(status string) // the server serves: for the first time, or after Reloading
	Reloading()
	Stopping()
	Status(status string)
	Alive()                // the server is well; said at least once Within
	Within() time.Duration // 0: nobody asks
}

// unmanaged is the manager of a server that has none.
type unmanaged struct{}

func (unmanaged) Ready(string)          {}
func (unmanaged) Reloading()            {}
func (unmanaged) Stopping()             {}
func (unmanaged) Status(string)         {}
func (unmanaged) Alive()                {}
func (unmanaged) Within() time.Duration { return 0 }

// Serving is how a server goes about its work.
type Serving struct {
	Loaded   time.Time   `json:"loaded"`                  // when the configuration in use was read
	Refused  time.Time   `json:"refused,omitzero"`        // when a later one was refused; zero: none was since
	Reason   string      `json:"reason,omitempty"`        // why
	Restart  []string    `json:"needs_restart,omitempty"` // what in the configuration counts from the next start on alone
	Next     time.Time   `json:"next_sweep"`
	Alone    []LeftAlone `json:"left_alone,omitempty"` // hosts that the next sweep leaves out because they fail
	previous *Summary    // of the last sweep that ended; nil: none has
}

// Serve makes a sweep at every interval until ctx ends: the first at once, or, where another process began one less than an
// interval ago, when the next is due. A sweep begins on time even while visits of the one before still run; their hosts are
// left out of it. What goes wrong then is logged. The error says that the server could not begin, or can't go on in this process
// (its chain has queue.ErrStuck then): whoever started it should start it again.
func (c *Controller) Serve(ctx context.Context) error {
	ctx, stuck := c.untilStuck(ctx)
	served, err := c.behind.serve(ctx)
	if err != nil {
		return errors.Join(err, stuck())
	}
	defer served()
	stop := c.behind.start()
	defer stop()
	c.reloading <- struct{}{}        // the configuration can be reloaded from now on …
	defer func() { <-c.reloading }() // … until nobody does any more
	var sweeps sync.WaitGroup
	sweeps.Go(func() { c.behind.checkMail(ctx) })
	c.keepTime(ctx, &sweeps)
	c.log.Info("stopping")
	c.manager.Stopping()
	sweeps.Wait()
	if err := stuck(); err != nil {
		return err
	}
	c.behind.settleBriefly(context.WithoutCancel(ctx))
	return nil
}

// untilStuck returns a context that ends where nothing can be kept any more in this process, too, and stuck, which ends it
// and says whether it was that. It must be called.
func (c *Controller) untilStuck(ctx context.Context) (_ context.Context, stuck func() error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-c.behind.stuck():
			cancel(queue.ErrStuck)
		case <-ctx.Done():
		}
	})
	return ctx, func() error {
		cancel(nil)
		watching.Wait()
		if cause := context.Cause(ctx); errors.Is(cause, queue.ErrStuck) {
			return fmt.Errorf("queue %w: %w", ErrUnusable, cause)
		}
		return nil
	}
}

// keepTime starts a sweep whenever it is time, until ctx ends.
func (c *Controller) keepTime(ctx context.Context, sweeps *sync.WaitGroup) {
	ended := make(chan struct{}, 1)
	sweep := func(o order) {
		sweeps.Go(func() {
			c.sweepLogged(ctx, o)
			select {
			case ended <- struct{}{}:
			default:
			}
		})
	}
	begun := c.resume(ctx, sweep)
	interval := c.plan.Load().config.Server.Interval
	timer := time.NewTimer(c.due(begun.Add(interval)))
	defer timer.Stop()
	alive, rest := c.pulse()
	defer rest()
	c.manager.Ready(c.status())
	for {
		select {
		case <-timer.C:
			begun = c.begin(begun.Add(interval), interval, sweep)
			timer.Reset(c.due(begun.Add(interval)))
		case <-c.changed:
			interval = c.plan.Load().config.Server.Interval
			timer.Reset(c.due(begun.Add(interval)))
		case <-ended:
			c.manager.Status(c.status())
		case <-alive:
			c.manager.Status(c.status()) // which asks all that must not hang
			c.manager.Alive()
		case <-ctx.Done():
			return
		}
	}
}

// resume goes on where the process before has ended, with what is left of its sweep, and returns when that began, or, where
// the first sweep is to be made at once, when one would have.
func (c *Controller) resume(ctx context.Context, sweep func(order)) time.Time {
	p := c.plan.Load()
	server := p.config.Server
	last, known, err := readBeginning(server.Data)
	if err != nil {
		c.log.WarnContext(ctx, "the first sweep begins at once", "err", err)
	}
	s := startAfter(last, known, c.now(), server.Interval, spreadOf(server))
	begun := time.Now().Add(s.wait - server.Interval)
	if s.wait == 0 {
		return begun
	}
	c.log.InfoContext(ctx, "the last sweep began less than an interval ago: the next begins when it is due",
		"last", last.Sweep, "next", c.now().Add(s.wait))
	if turns := p.later(s.passed); s.resumes && len(turns) > 0 {
		c.log.InfoContext(ctx, "hosts whose turn in that sweep had not come are visited at their time", "hosts", len(turns))
		sweep(order{name: c.names.name(c.now()), begun: begun, plan: p, turns: turns})
	}
	return begun
}

// begin begins a sweep that was due at a time, and returns that time; where the process was held up for longer than an
// interval, the last of the times that have passed.
func (c *Controller) begin(due time.Time, interval time.Duration, sweep func(order)) time.Time {
	due = due.Add(max(0, time.Since(due)).Truncate(interval))
	p := c.plan.Load()
	o := order{name: c.names.name(c.now()), begun: time.Now(), plan: p, turns: p.turns}
	server := p.config.Server
	err := beginning{Sweep: o.name, Interval: server.Interval.String(), Spread: spreadOf(server).String()}.note(server.Data)
	if err != nil {
		c.log.Warn("when the sweep began can't be written down: a server that is started again visits all hosts at once", "err", err)
	}
	sweep(o)
	return due
}

// due notes when the next sweep begins, and returns how long that is from now.
func (c *Controller) due(at time.Time) time.Duration {
	wait := max(0, time.Until(at))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Next = c.now().Add(wait)
	return wait
}

// sweepLogged makes a sweep, and leaves what it came to for those who ask.
func (c *Controller) sweepLogged(ctx context.Context, o order) {
	summary, err := c.sweep(ctx, o)
	if err != nil {
		c.log.Error("sweep ended with errors", "sweep", o.name, "err", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.previous = &summary
}

// pulse returns what ticks as often as the manager is to be told that the server is well.
func (c *Controller) pulse() (<-chan time.Time, func()) {
	within := c.manager.Within()
	if within <= 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(max(within/2, time.Millisecond))
	return ticker.C, ticker.Stop
}

// Serving returns how the server goes about its work.
func (c *Controller) Serving() Serving {
	c.mu.Lock()
	s := c.state
	c.mu.Unlock()
	s.Alone = c.backoff.list()
	return s
}

// status says in a line how the server is.
func (c *Controller) status() string {
	s := c.Serving()
	words := []string{fmt.Sprintf("%d hosts", len(c.plan.Load().config.Hosts))}
	if n := len(s.Alone); n > 0 {
		words[0] += fmt.Sprintf(" (%d left alone for a while)", n)
	}
	if last := s.previous; last != nil {
		words = append(words, fmt.Sprintf("sweep of %s: %d reported, %d failed", clock(last.Sweep), last.Visited, len(last.Failed)))
	}
	words = append(words, fmt.Sprintf("%d alerts", c.behind.alerts()), "next sweep "+clock(s.Next))
	if s.Reason != "" {
		words = append(words, "the configuration on disk is refused: "+strings.ReplaceAll(s.Reason, "\n", " "))
	}
	if len(s.Restart) > 0 {
		words = append(words, "needs a restart: "+strings.Join(s.Restart, ", "))
	}
	return strings.Join(words, "; ")
}

func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }
