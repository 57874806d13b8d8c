package jump

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"muster/internal/remote"
)

// The defaults of Options, and that of Host.Sessions.
const (
	DefaultIdle      = 30 * time.Second
	DefaultRetry     = 5 * time.Second
	DefaultKeepalive = 5 * time.Second
	DefaultPatience  = 10 * time.Second
	DefaultSessions  = 16
)

// Options say how a pool keeps its connections. What is zero has its default.
type Options struct {
	Logger    *slog.Logger  // nil: nothing is logged
	Idle      time.Duration // how long a connection with nobody inside is kept
	Retry     time.Duration // from the beginning of a login that failed until the next may begin
	Keepalive time.Duration // after which silence a jump host is asked for a sign of life
	Patience  time.Duration // how long it may take to answer
}

// Host says how to reach a jump host.
type Host struct {
	Login    remote.Options // as for any host; Through is set by the pool, from Via
	Sessions int            // how many visits it lets in at once; zero: DefaultSessions
	Via      *Gateway       // the jump host on the way to this one, of the same pool; nil: none

	// Generation tells which configuration the host is of. While visits by an older one go on, a gateway is as the newest
	// has it: otherwise they would take turns to have their connections end.
	Generation int
}

// Pool is the gateways of one server. Make it with New.
type Pool struct {
	options Options
	ctx     context.Context //nolint:containedctx // it is the pool's own: it ends with Close, and with it all connections
	end     context.CancelFunc
	tasks   sync.WaitGroup

	mu       sync.Mutex // taken within a gateway's, never the other way round
	closed   bool
	gateways map[string]*Gateway
}

// New returns a pool without connections. The caller must Close it.
func New(o Options) *Pool {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		value     *time.Duration
		otherwise time.Duration
	}{
		{&o.Idle, DefaultIdle}, {&o.Retry, DefaultRetry}, {&o.Keepalive, DefaultKeepalive}, {&o.Patience, DefaultPatience},
	} {
		if *d.value <= 0 {
			*d.value = d.otherwise
		}
	}
	ctx, end := context.WithCancel(context.Background())
	return &Pool{options: o, ctx: ctx, end: end, gateways: make(map[string]*Gateway)}
}

// Gateway returns the gateway of a jump host. The same key gives the same gateway, and the same connection, for as long as
// the pool exists: the key is to differ where anything does that the configuration says of the host. What the configuration
// names may change meanwhile (a key file, known_hosts): then the next visits use a new connection, with h, and the old one
// ends with the last that is inside. An h of an older generation than the gateway's changes nothing.
func (p *Pool) Gateway(key string, h Host) *Gateway {
	if h.Sessions <= 0 {
		h.Sessions = DefaultSessions
	}
	p.mu.Lock()
	g, ok := p.gateways[key]
	if !ok {
		g = newGateway(p, h)
		p.gateways[key] = g
	}
	p.mu.Unlock()
	g.update(h)
	return g
}

// Connections returns how many connections to jump hosts are open now.
func (p *Pool) Connections() int {
	p.mu.Lock()
	gateways := slices.Collect(maps.Values(p.gateways))
	p.mu.Unlock()
	open := 0
	for _, g := range gateways {
		open += g.connections()
	}
	return open
}

// Close closes all connections and waits until nothing of them is left. Visits that are inside fail, and so do those that
// come afterwards. It never fails, and may be called more than once.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.end()
	p.tasks.Wait()
	return nil
}

// run runs a task for which Close waits; false if the pool is closed.
func (p *Pool) run(task func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.tasks.Go(task)
	return true
}
