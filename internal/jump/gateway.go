package jump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/semaphore"

	"muster/internal/failure"
)

var errStopped = fmt.Errorf("the server is stopping: %w", context.Canceled)

// Gateway is a jump host through which hosts are reached: a remote.Gateway. A Pool makes it.
type Gateway struct {
	pool *Pool
	name string

	mu     sync.Mutex
	host   Host
	places *semaphore.Weighted // one for each visit that may be inside; it keeps the order in which they came
	link   *link               // the connection that visits are let into, open or about to be; nil: there is none
	links  int                 // connections that are open, those included that are retired
	refuse refusal
}

// refusal is why nobody tries to log in for now.
type refusal struct {
	failed *failure.Error // nil: nothing went wrong last
	until  time.Time      // zero: until the host is configured otherwise
}

func newGateway(p *Pool, h Host) *Gateway {
	return &Gateway{pool: p, name: h.Login.Host, host: h, places: semaphore.NewWeighted(int64(h.Sessions))}
}

// Name returns the name of the jump host.
func (g *Gateway) Name() string { return g.name }

// Open returns a connection to address through the jump host (see remote.Gateway). It waits for a place until ctx ends, and
// where there is no connection to the jump host for a login there, which has deadlines of its own; limit bounds the rest.
// The connection's Close gives the place back.
func (g *Gateway) Open(ctx context.Context, address string, limit time.Duration) (net.Conn, error) {
	places, failed := g.state()
	if failed != nil {
		return nil, failed
	}
	if err := places.Acquire(ctx, 1); err != nil {
		return nil, g.unserved(ctx)
	}
	return g.open(ctx, address, limit, func() { places.Release(1) })
}

// carrier opens connections to further jump hosts. They stay for longer than visits do, and if they took the places of
// visits then those could wait for each other.
type carrier struct{ *Gateway }

func (c carrier) Open(ctx context.Context, address string, limit time.Duration) (net.Conn, error) {
	return c.open(ctx, address, limit, func() {})
}

// open opens a connection through the jump host. release gives back the place that it has.
func (g *Gateway) open(ctx context.Context, address string, limit time.Duration, release func()) (net.Conn, error) {
	l, failed := g.enter()
	if failed != nil {
		release()
		return nil, failed
	}
	p := &passage{gateway: g, link: l, release: sync.OnceFunc(release)}
	select {
	case <-l.ready:
	case <-ctx.Done():
		p.ended()
		p.exit()
		return nil, g.late(ctx, fmt.Errorf("the login on the jump host %s is not done: %w", g.name, context.Cause(ctx)))
	}
	if l.failed != nil {
		p.ended()
		p.exit()
		return nil, l.failed
	}
	conn, err := l.conn.Forward(ctx, address, limit, p.ended)
	if err != nil {
		p.exit()
		return nil, covered(failure.From("", err), l.host.Login.Password)
	}
	p.Conn = conn
	return p, nil
}

// state returns what to wait for, or why there is no use in waiting.
func (g *Gateway) state() (*semaphore.Weighted, *failure.Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.places, g.refused()
}

// refused returns why nobody is let in now; nil: nothing speaks against it.
func (g *Gateway) refused() *failure.Error {
	if g.refuse.until.IsZero() || time.Now().Before(g.refuse.until) {
		return g.refuse.failed
	}
	return nil
}

// unserved is the failure of a visit that ended while it waited for a place.
func (g *Gateway) unserved(ctx context.Context) *failure.Error {
	g.mu.Lock()
	sessions := g.host.Sessions
	g.mu.Unlock()
	found := g.late(ctx, fmt.Errorf("no place on the jump host %s, which lets %d connections through at once: %w",
		g.name, sessions, context.Cause(ctx)))
	found.Advice = fmt.Sprintf("let the jump host %s have more sessions, or see which hosts behind it are slow", g.name)
	return found
}

// late is the failure of a visit that ended while it waited for the jump host.
func (g *Gateway) late(ctx context.Context, err error) *failure.Error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return failure.New("", failure.Cancelled, err)
	}
	return &failure.Error{Kind: failure.Timeout, Jump: g.name, Err: err}
}

// enter lets a visit into the connection, and begins to open one where there is none.
func (g *Gateway) enter() (*link, *failure.Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.link != nil && g.link.isOver() {
		g.discard(g.link)
	}
	if failed := g.refused(); failed != nil {
		return nil, failed
	}
	if g.link == nil {
		l := newLink(g.host)
		if !g.pool.run(func() { g.serve(l) }) {
			return nil, failure.New("", failure.Cancelled, errStopped)
		}
		g.link = l
	}
	g.link.inside++
	return g.link, nil
}

// update takes over what may have changed since the last sweep.
func (g *Gateway) update(h Host) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if h.Generation < g.host.Generation {
		return
	}
	if g.host.Sessions != h.Sessions {
		g.places = semaphore.NewWeighted(int64(h.Sessions))
	}
	same := sameLogin(&g.host, &h)
	g.host = h
	if same {
		return
	}
	g.refuse = refusal{}
	g.retire()
}

// retire lets nobody into the connection any more.
func (g *Gateway) retire() {
	if g.link != nil {
		g.link.retired = true
		g.link.notify()
		g.link = nil
	}
}

func (g *Gateway) connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.links
}

// sameLogin tells whether two hosts are the same, and are logged in to in the same way. What is known of their host keys
// counts at the next login.
func sameLogin(a, b *Host) bool {
	x, y := &a.Login, &b.Login
	return a.Via == b.Via && x.Address == y.Address && x.Port == y.Port && x.User == y.User && x.Password == y.Password &&
		x.Agent == y.Agent && slices.EqualFunc(x.Signers, y.Signers, sameKey)
}

func sameKey(a, b ssh.Signer) bool {
	return bytes.Equal(a.PublicKey().Marshal(), b.PublicKey().Marshal())
}
