package remote

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// beforeLogin bounds what a host may send until the login has succeeded: greeting, key exchange, login banner and all.
// An ordinary login takes 3 to 5 kB.
//
// It also bounds what is lost where a host that we know sends a rain of packets into a login that fails: the SSH library
// (x/crypto 0.58) then keeps them, and two goroutines, for ever, and gives nobody the means to end them.
const beforeLogin = 64 << 10

var (
	errHungUp  = errors.New("the host broke off the SSH protocol")
	errTooMuch = fmt.Errorf("the host sent more than %d kB before the login was complete", beforeLogin>>10)
)

// wire is the TCP connection under an SSH connection. It counts bytes, bounds what comes before the login, remembers
// how the host greeted us, and keeps the first reason for which the connection ended, which the SSH library loses.
type wire struct {
	net.Conn
	sent, received atomic.Int64
	heard          atomic.Int64 // when something was received last, on the clock of since
	since          time.Time

	mu       sync.Mutex
	reason   error  // why the connection ended; nil while it has not
	ending   func() // called when it does; may be nil
	allowed  int64  // how many bytes may still come before the login; negative: any number
	greeting greeting
}

func newWire(conn net.Conn) *wire { return &wire{Conn: conn, allowed: beforeLogin, since: time.Now()} }

// silent returns for how long nothing was received.
func (w *wire) silent() time.Duration { return time.Since(w.since) - time.Duration(w.heard.Load()) }

// end closes the connection and records why, unless it has ended already.
func (w *wire) end(reason error) {
	w.mu.Lock()
	first := w.reason == nil
	if first {
		w.reason = reason
	}
	ending := w.ending
	w.mu.Unlock()
	if first {
		_ = w.Conn.Close()
		if ending != nil {
			ending()
		}
	}
}

// atEnd has do called when the connection ends, which it may have: then at once.
func (w *wire) atEnd(do func()) {
	w.mu.Lock()
	w.ending = do
	over := w.reason != nil
	w.mu.Unlock()
	if over {
		do()
	}
}

// ended returns why the connection ended, or nil while it has not.
func (w *wire) ended() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reason
}

// Close is the SSH library's way to end the connection: it does so when the host breaks the protocol.
func (w *wire) Close() error {
	w.end(errHungUp)
	return nil
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.received.Add(int64(n))
	w.heard.Store(int64(time.Since(w.since)))
	if err != nil {
		w.end(err)
		return n, err
	}
	return n, w.admit(p[:n])
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.sent.Add(int64(n))
	if err != nil {
		w.end(err)
	}
	return n, err
}

// admit looks at what came before the login.
func (w *wire) admit(data []byte) error {
	w.mu.Lock()
	if w.allowed < 0 {
		w.mu.Unlock()
		return nil
	}
	w.allowed -= int64(len(data))
	exceeded := w.allowed < 0
	w.greeting.read(data)
	w.mu.Unlock()
	if exceeded {
		w.end(errTooMuch)
		return errTooMuch
	}
	return nil
}

// loggedIn lifts the bound on what the host may send.
func (w *wire) loggedIn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allowed = -1
}

// greeted returns the first line that the host sent, at most 80 bytes of it, and whether it identified itself as an
// SSH server.
func (w *wire) greeted() (line string, isSSH bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimRight(string(w.greeting.first), "\r\n"), w.greeting.isSSH
}

// version returns the line with which the host identified itself as an SSH server; empty while it has not.
func (w *wire) version() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.greeting.over {
		return ""
	}
	return strings.TrimRight(string(w.greeting.version), "\r")
}

// greeting is how a host greets: lines of text, of which one begins with SSH- (RFC 4253, section 4.2).
type greeting struct {
	first   []byte // the beginning of the first line, for people
	version []byte // the line with which it identifies itself, at most 255 bytes as the RFC has it
	over    bool   // that line has ended
	lines   int    // that have ended
	column  int    // in the line that has not
	prefix  [4]byte
	isSSH   bool
}

func (g *greeting) read(data []byte) {
	for _, b := range data {
		if g.over {
			return
		}
		if g.isSSH {
			if g.over = b == '\n' || len(g.version) == 255; !g.over {
				g.version = append(g.version, b)
			}
			continue
		}
		if g.lines == 0 && len(g.first) < 80 {
			g.first = append(g.first, b)
		}
		if b == '\n' {
			g.lines++
			g.column = 0
			continue
		}
		if g.column < len(g.prefix) {
			g.prefix[g.column] = b
		}
		g.column++
		if g.isSSH = g.column == len(g.prefix) && string(g.prefix[:]) == "SSH-"; g.isSSH {
			g.version = append(g.version, "SSH-"...)
		}
	}
}
