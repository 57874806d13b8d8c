package visit

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"muster/internal/deploy"
)

// Options are what a Visitor works with.
type Options struct {
	Clients *deploy.Clients
	Logger  *slog.Logger     // nil: nothing is logged
	Now     func() time.Time // with a monotonic reading, as time.Now has, which is what nil means

	// OnStep is told what happens in each visit; nil, as it is in a sweep, costs nothing. Calls for one visit come one
	// after the other, and none after Visit has returned. It must not block.
	OnStep func(Step)
}

// Visitor visits hosts. Make it with New.
type Visitor struct {
	clients *deploy.Clients
	log     *slog.Logger
	now     func() time.Time
	onStep  func(Step)
	hosts   memories
	open    atomic.Int64 // connections
}

// Connections returns how many SSH connections are open now.
func (v *Visitor) Connections() int { return int(v.open.Load()) }

// New returns a Visitor that has not seen any host yet.
func New(o Options) *Visitor {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Visitor{clients: o.Clients, log: o.Logger, now: o.Now, onStep: o.OnStep}
}

// Visit visits a host and returns what became of it, which is never nil. sweep is the sweep's scheduled time. It blocks until
// the visit has ended, at the latest soon after ctx or host.Deadlines.Visit has; then its failure is Cancelled or Timeout.
func (v *Visitor) Visit(ctx context.Context, host Host, sweep time.Time) *Visit {
	started := v.now()
	id := newID(started)
	a := &attempt{
		Visitor: v,
		host:    host,
		log:     v.log.With("host", host.Name, "visit", id),
		visit: &Visit{
			ID: id, Sweep: sweep, Host: host.Name, Address: host.endpoint(), Started: started,
		},
		known:  v.hosts.recall(&host),
		secret: secret(host.Password),
	}
	a.words.secret = a.secret
	a.trace = tracer{tell: v.onStep, now: v.now, began: started, step: Step{Host: host.Name}, words: transcript{secret: a.secret}}
	defer a.trace.end()
	err := a.guard(func() error {
		defer a.disconnect()
		return a.run(ctx)
	})
	if broken := a.guard(func() error { return a.finish(err) }); broken != nil {
		a.fail(broken)
	}
	v.hosts.keep(&a.host, a.known)
	return a.visit
}

// guard makes a failure of a panic in do.
func (a *attempt) guard(do func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &panicked{cause}
			a.log.Error("a visit broke down: this is a defect of muster",
				"err", a.secret.cover(err), "stack", string(debug.Stack()))
		}
	}()
	return do()
}
