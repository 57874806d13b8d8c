package controller

import (
	"context"
	"sync"
	"time"

	"muster/internal/failure"
	"muster/internal/visit"
)

// lane is the hosts of a plan that are reached through one jump host. Before a visit of theirs takes one of the places that
// all visits share it waits for one of these: a jump host that is slow holds up as many visits as it lets through at once,
// and no others.
type lane struct {
	gate  *gate
	hosts int
}

// round is the visits of a sweep.
type round struct {
	*Controller
	order  order
	tally  *tally
	end    func(*visit.Visit)
	visits sync.WaitGroup

	mu    sync.Mutex
	files map[*hosts]*pass // of each plan that visits are made by: hosts that wait in the lanes of an old one are visited by it
}

// visitAll makes the visits of a sweep and returns when all of them have ended; each is handed to end.
func (c *Controller) visitAll(ctx context.Context, o order, tally *tally, end func(*visit.Visit)) {
	r := &round{Controller: c, order: o, tally: tally, end: end, files: make(map[*hosts]*pass)}
	ready := make(chan due, len(o.turns)) // for all, so that a host whose turn has come waits for room and for nothing else
	r.visits.Go(func() {
		defer close(ready)
		if !c.call(ctx, o, ready, end) {
			tally.cancel()
		}
	})
	lanes := make(map[*lane]chan due)
	for d := range ready {
		l := d.plan.lane(d.host)
		if l == nil {
			r.begin(ctx, d, func() {})
			continue
		}
		hosts := lanes[l]
		if hosts == nil {
			hosts = make(chan due, l.hosts)
			lanes[l] = hosts
			r.visits.Go(func() { r.follow(ctx, l, hosts) })
		}
		hosts <- d
	}
	for _, hosts := range lanes {
		close(hosts)
	}
	r.visits.Wait()
}

// follow begins the visits of hosts that are reached through one jump host.
func (r *round) follow(ctx context.Context, l *lane, hosts <-chan due) {
	for d := range hosts {
		if l.gate.enter(ctx) {
			r.begin(ctx, d, l.gate.leave)
		} else {
			r.drop(d)
		}
	}
}

// begin begins a visit when there is room for it, and calls leave when it has ended.
func (r *round) begin(ctx context.Context, d due, leave func()) {
	if !r.gate.enter(ctx) {
		leave()
		r.drop(d)
		return
	}
	host, unusable := r.resolve(d)
	logs := r.logsOf(d)
	if logs != nil {
		host.Logs, host.Further = logs, r.furtherOf(d)
	}
	r.visits.Go(func() {
		defer leave()
		defer r.gate.leave()
		defer r.release(d)
		defer logs.ended()
		if unusable != nil {
			r.end(visit.Failed(host, r.order.name, unusable))
			return
		}
		r.logs.await(ctx, d.plan.at(d.host)) // before the visit, whose deadlines are for the host alone
		r.began(d)
		v := r.visitor.Visit(ctx, host, r.order.name)
		r.fared(v, d.at)
		r.end(v)
	})
}

// logsOf returns the logs of a host; nil: it has none.
func (r *round) logsOf(d due) *hostLogs {
	var way []*gate
	if l := d.plan.lane(d.host); l != nil {
		way = append(way, l.gate)
	}
	if d.plan.config.Server.Parallel < share {
		way = append(way, r.gate) // the place that a visit keeps may be the only one
	}
	return r.logs.of(d.plan.at(d.host), way...)
}

// furtherOf returns for how long the visit of a host may go on for the sake of its logs alone; 0: as long as it likes.
func (r *round) furtherOf(d due) time.Duration {
	if r.order.asked {
		return 0
	}
	return furtherFor(d.at, r.now(), d.plan.config.Server.Interval)
}

// drop leaves a host unvisited, since the sweep is cancelled.
func (r *round) drop(d due) {
	r.release(d)
	r.tally.cancel()
}

// resolve reads what it takes to visit a host.
func (r *round) resolve(d due) (visit.Host, *failure.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	files := r.files[d.plan.hosts]
	if files == nil {
		files = d.plan.hosts.pass()
		r.files[d.plan.hosts] = files
	}
	return files.resolve(d.plan.at(d.host))
}
