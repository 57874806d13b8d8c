package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"muster/internal/entry"
	"muster/internal/failure"
	"muster/internal/visit"
)

// order says which sweep is to be made.
type order struct {
	name  time.Time // its scheduled time, which names it
	begun time.Time // turns are counted from here, by the process's monotonic clock
	plan  *plan
	turns []turn // in the plan
	asked bool   // a person waits for it: all hosts are visited, those too that are left alone because they fail
}

// tellMost is how many hosts that are passed over are told of at once.
const tellMost = 64

// sweep visits the hosts whose turns the order names, and returns when all visits of the sweep have ended and are in the
// queue. A host whose turn comes after the plan has changed is visited as the new one has it, or not at all.
func (c *Controller) sweep(ctx context.Context, o order) (Summary, error) {
	started := c.now()
	sweep := visit.Sweep{Time: o.name, Hosts: len(o.turns)}
	tally := &tally{summary: Summary{Sweep: o.name, Hosts: sweep.Hosts}}
	c.observers.SweepStarted(ctx, sweep)

	// What has come home is kept even if the sweep is cancelled.
	told := context.WithoutCancel(ctx)
	record := entry.Sweep{Time: o.name, Started: started, Hosts: sweep.Hosts}
	if err := c.keeper.sweep(told, &record); err != nil {
		c.log.ErrorContext(ctx, "the start of a sweep is not kept", "sweep", o.name, "err", err)
	}
	c.visitAll(ctx, o, tally, func(v *visit.Visit) {
		err := c.keeper.visit(told, v, c.plan.Load().groups(v.Host))
		tally.add(v, err)
		if err == nil {
			c.log.DebugContext(ctx, "visit kept", "host", v.Host, "visit", v.ID)
		}
		c.observers.Visited(told, v)
	})

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
	c.log.InfoContext(told, "sweep ended", "sweep", o.name, "took", summary.Took, "hosts", summary.Hosts,
		"reported", summary.Visited, "failed", len(summary.Failed), "skipped", summary.Skipped, "unkept", summary.Unkept,
		"cancelled", summary.Cancelled, "records", summary.Records, "unread", summary.Unread)
	return summary, err
}

// due is a host whose turn has come. No other sweep visits it until it is released.
type due struct {
	plan *plan
	host int       // its place in the plan
	at   time.Time // when its turn came
}

func (d due) name() string { return d.plan.at(d.host).Name }

// call calls the hosts as their turns come; false if ctx ended first. Those that an earlier sweep visits, or is still
// going to, and those that are left alone, are passed over, which end is told: sweeps that take longer than the interval
// don't pile up.
func (c *Controller) call(ctx context.Context, o order, ready chan<- due, end func(*visit.Visit)) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var telling sync.WaitGroup
	defer telling.Wait()
	tellers := make(chan struct{}, tellMost)
	pass := func(v *visit.Visit) {
		tellers <- struct{}{}
		telling.Go(func() {
			defer func() { <-tellers }()
			end(v)
		})
	}
	for _, t := range o.turns {
		if !until(ctx, timer, o.begun.Add(t.after)) {
			return false
		}
		d := due{plan: c.plan.Load(), host: t.host, at: c.now()}
		if d.plan != o.plan { // the turn names a place in the old one
			i, ok := d.plan.index[o.plan.at(t.host).Name]
			if !ok {
				continue
			}
			d.host = i
		}
		host := d.plan.at(d.host)
		known := visit.Host{Name: host.Name, Address: host.Address, Port: host.Port}
		if began, free := c.claim(d); !free {
			if !began.IsZero() && c.now().Sub(began) > host.Timeouts.Visit+overdue {
				pass(visit.Overdue(known, o.name, began))
			} else {
				pass(visit.Busy(known, o.name))
			}
			continue
		}
		if f := c.backoff.pass(host.Name); !o.asked && f != nil {
			c.release(d)
			pass(leftAlone(known, o.name, f))
			continue
		}
		ready <- d
	}
	return true
}

// fared notes how a visit went whose turn came at the given time, unless the host was removed meanwhile.
func (c *Controller) fared(v *visit.Visit, at time.Time) {
	p := c.plan.Load()
	if _, known := p.index[v.Host]; known {
		c.backoff.ended(v, at, p.config.Server.Interval, p.config.Server.Backoff)
	}
}

// until waits for a moment of the process's monotonic clock; false if ctx ended first.
func until(ctx context.Context, timer *time.Timer, moment time.Time) bool {
	if wait := time.Until(moment); wait > 0 {
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// overdue is how long after its deadline a visit may take to end before that is a failure of its host, of which nobody
// knows anything any more.
const overdue = time.Minute

// claim claims a host for a sweep. If another one has it, it returns when the visit began; zero where it waits yet.
func (c *Controller) claim(d due) (began time.Time, free bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if began, claimed := c.claimed[d.name()]; claimed {
		return began, false
	}
	c.claimed[d.name()] = time.Time{}
	return time.Time{}, true
}

// began notes that the visit of a claimed host begins.
func (c *Controller) began(d due) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claimed[d.name()] = c.now()
}

func (c *Controller) release(d due) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.claimed, d.name())
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
	for i := range v.Logs {
		t.summary.Records += v.Logs[i].Records
	}
	if slices.ContainsFunc(v.Logs, func(l visit.ChannelRead) bool { return l.Trouble != nil }) {
		t.summary.Unread++
	}
	switch {
	case v.Failure == nil:
		t.summary.Visited++
	case v.Failure.Kind == failure.Cancelled:
		t.summary.Cancelled = true
	case saysNothing(v):
		t.summary.Skipped++
	default:
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
