package remote

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// beforeLogin bounds what a host may send until the login has succeeded: greeting, key exchange, login banner and all.
// An ordinary login takes 3 to 5 kB.
const beforeLogin = 256 << 10

var (
	errHungUp  = errors.New("the host broke off the SSH protocol")
	errTooMuch = fmt.Errorf("the host sent more than %d kB before the login was complete", beforeLogin>>10)
)

// wire is the TCP connection under an SSH connection. It counts bytes, bounds what comes before the login, remembers
// how the host greeted us, and keeps the first reason for which the connection ended, which the SSH library loses.
type wire struct {
	net.Conn
	sent, received atomic.Int64

	mu       sync.Mutex
	reason   error // why the connection ended; nil while it has not
	allowed  int64 // how many bytes may still come before the login; negative: any number
	greeting []byte
	isSSH    bool // a line that starts with SSH- came
}

func newWire(conn net.Conn) *wire { return &wire{Conn: conn, allowed: beforeLogin} }

// end closes the connection and records why, unless it has ended already.
func (w *wire) end(reason error) {
	w.mu.Lock()
	first := w.reason == nil
	if first {
		w.reason = reason
	}
	w.mu.Unlock()
	if first {
		_ = w.Conn.Close()
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
	if !w.isSSH && !exceeded {
		w.greeting = append(w.greeting, data...)
		w.isSSH = bytes.HasPrefix(w.greeting, []byte("SSH-")) || bytes.Contains(w.greeting, []byte("\nSSH-"))
	}
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
	w.greeting = nil
}

// greeted returns the first line that the host sent, at most 80 bytes of it, and whether it identified itself as an
// SSH server.
func (w *wire) greeted() (line string, isSSH bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first, _, _ := bytes.Cut(w.greeting, []byte("\n"))
	first = bytes.TrimRight(first, "\r")
	return string(first[:min(len(first), 80)]), w.isSSH
}
