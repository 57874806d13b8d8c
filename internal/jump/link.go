package jump

import (
	"errors"
	"net"
	"sync"
	"time"

	"muster/internal/failure"
	"muster/internal/remote"
)

const (
	// maxLeftovers is how many connections of visits that are over a jump host may still have, before the connection to
	// it is retired. Each is a file descriptor there, of the 1,024 that a process may have as a rule.
	maxLeftovers = 128
	// courtesy is how long a visit that is over keeps its place, while the jump host has not said that it knows.
	courtesy = time.Second
)

// link is one connection to a jump host, from before its login until it is closed. But for host, ready and wake its fields
// are the gateway's to guard; conn and failed may be read once ready is closed.
type link struct {
	host  Host
	ready chan struct{} // closed when it is open, or will never be
	wake  chan struct{} // holds a token when something below has changed
	conn  *remote.Conn
	began time.Time

	failed    *failure.Error // why it never was
	retired   bool           // it takes nobody in any more
	inside    int            // visits
	leftovers int            // what the jump host still has of visits that are over
	idle      time.Time      // since when nobody is inside
}

func newLink(h Host) *link {
	return &link{host: h, ready: make(chan struct{}), wake: make(chan struct{}, 1), began: time.Now()}
}

// notify tells the link's goroutine that something has changed.
func (l *link) notify() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// isOver tells whether the connection was open and no longer is.
func (l *link) isOver() bool {
	if l.conn == nil {
		return false
	}
	select {
	case <-l.conn.Done():
		return true
	default:
		return false
	}
}

// broken returns why a connection that is over is.
func (l *link) broken() *failure.Error { return covered(l.conn.Failure(), l.host.Login.Password) }

// serve opens a connection and closes it when nobody needs it any more.
func (g *Gateway) serve(l *link) {
	if !g.dial(l) {
		return
	}
	defer g.closed()
	defer func() { _ = l.conn.Close() }()
	l.conn.Watch(g.pool.options.Keepalive, g.pool.options.Patience)
	timer := time.NewTimer(g.pool.options.Idle)
	defer timer.Stop()
	for {
		select {
		case <-l.conn.Done():
			g.broke(l)
			return
		case <-g.pool.ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
		rest, needed := g.needs(l)
		if !needed {
			return
		}
		timer.Reset(rest)
	}
}

// dial logs in to the jump host and lets in those who wait for it, or sends them away.
func (g *Gateway) dial(l *link) bool {
	login := l.host.Login
	if l.host.Via != nil {
		login.Through = carrier{l.host.Via}
	}
	conn, err := remote.Dial(g.pool.ctx, login)
	g.mu.Lock()
	defer g.mu.Unlock()
	defer close(l.ready)
	if err == nil {
		l.conn, l.idle = conn, time.Now()
		g.links++
		if g.link == l {
			g.refuse = refusal{}
		}
		g.pool.options.Logger.Debug("connected to a jump host", "jump", g.name, "took", time.Since(l.began))
		return true
	}
	if g.link == l {
		g.link = nil
	}
	found := covered(failure.From(failure.Dial, err), login.Password)
	l.failed = remote.Through(g.name, found)
	if found.Kind == failure.Cancelled || l.retired {
		return false
	}
	g.refuse = refusal{failed: l.failed, until: time.Now().Add(g.pool.options.Retry)}
	if found.Kind == failure.LoginFailed && login.Password != "" && login.Passwords == nil {
		g.refuse.until = time.Time{}
	}
	g.pool.options.Logger.Warn("a jump host can't be used", "jump", g.name, "waiting", l.inside, "err", found, "advice", found.Help())
	return false
}

// broke notes that a connection has broken.
func (g *Gateway) broke(l *link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pool.options.Logger.Warn("the connection to a jump host broke", "jump", g.name, "inside", l.inside, "err", l.broken())
	g.discard(l)
}

// discard lets nobody into a connection that has broken. Unless it held for a while, a new one has to wait. Who comes first
// does it, a visit or the link's own goroutine.
func (g *Gateway) discard(l *link) {
	if g.link == l {
		g.link = nil
		g.refuse = refusal{failed: remote.Through(g.name, l.broken()), until: l.began.Add(g.pool.options.Retry)}
	}
}

// needs tells whether a connection is still needed, and when that is to be looked at again. One that is not is let go of.
func (g *Gateway) needs(l *link) (again time.Duration, needed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	idle := g.pool.options.Idle
	if l.inside > 0 {
		return idle, true
	}
	if rest := idle - time.Since(l.idle); rest > 0 && !l.retired {
		return rest, true
	}
	if g.link == l {
		g.link = nil
	}
	g.pool.options.Logger.Debug("closing the connection to a jump host", "jump", g.name, "retired", l.retired)
	return 0, false
}

func (g *Gateway) closed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.links--
}

// passage is a connection through a jump host. It has a place there until it is over on both sides, or has been over on ours
// for a while.
type passage struct {
	net.Conn
	gateway *Gateway
	link    *link
	release func() // gives the place back
	once    sync.Once

	// Guarded by the gateway.
	ours, theirs bool // it is over, on our side and on the jump host's
	timer        *time.Timer
}

// Read is that of the connection.
func (p *passage) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	return n, p.covered(err)
}

// Write is that of the connection.
func (p *passage) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(b)
	return n, p.covered(err)
}

// covered returns the error of a call; one for which the jump host is to blame may be in its words.
func (p *passage) covered(err error) error {
	var found *failure.Error
	if errors.As(err, &found) {
		return covered(found, p.link.host.Login.Password)
	}
	return err
}

// Close closes the connection, which does not wait for the jump host.
func (p *passage) Close() error {
	err := p.Conn.Close()
	p.exit()
	return err
}

// exit is the end on our side.
func (p *passage) exit() { p.once.Do(p.leave) }

func (p *passage) leave() {
	g, l := p.gateway, p.link
	g.mu.Lock()
	defer g.mu.Unlock()
	p.ours = true
	l.inside--
	if l.inside == 0 {
		l.idle = time.Now()
		l.notify()
	}
	if p.theirs {
		p.release()
		return
	}
	l.leftovers++
	if l.leftovers > maxLeftovers && g.link == l {
		g.retire()
	}
	p.timer = time.AfterFunc(courtesy, p.release)
}

// ended is the end on the jump host's side.
func (p *passage) ended() {
	p.gateway.mu.Lock()
	defer p.gateway.mu.Unlock()
	p.theirs = true
	if p.ours {
		p.link.leftovers--
		p.timer.Stop()
		p.release()
	}
}
