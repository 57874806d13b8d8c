// Package sink is an SMTP server that delivers nothing: it takes mails on loopback and keeps them in memory, for a
// demonstration or a trial without a mail server.
//
// It speaks the least that a sender needs (RFC 5321, section 4.5.1), without TLS and without login, and listens on
// loopback alone. What it keeps is bounded: [MaxMails] of [MaxSize] bytes each, then it refuses. A [Sink] owns its
// listener, its connections and their goroutines; [Sink.Close] ends all of them and waits. It is safe for concurrent use.
package sink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
)

// Bounds of what a sink takes.
const (
	MaxMails      = 1000
	MaxSize       = 1 << 20 // bytes of one mail
	MaxRecipients = 100     // of one mail
)

// Mail is what the sink was handed.
type Mail struct {
	From string   // envelope sender, without angle brackets; may be empty
	To   []string // envelope recipients, likewise
	Data []byte   // header and body as sent, dots unstuffed, lines end in CR LF
}

// Sink is a running server.
type Sink struct {
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	mails   []Mail
	conns   map[net.Conn]bool
	changed chan struct{} // closed and replaced when a mail arrives
	closed  bool
}

// Listen starts a sink on a loopback address such as "127.0.0.1:0". It returns an error if the address is none, or is not
// loopback.
func Listen(address string) (*Sink, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("mail sink: %w", err)
	}
	if !resolved.IP.IsLoopback() {
		return nil, fmt.Errorf("mail sink: %s is not a loopback address", address)
	}
	listener, err := net.ListenTCP("tcp", resolved)
	if err != nil {
		return nil, fmt.Errorf("mail sink: %w", err)
	}
	s := &Sink{listener: listener, conns: map[net.Conn]bool{}, changed: make(chan struct{})}
	s.running.Add(1)
	go s.serve()
	return s, nil
}

// Host returns the address it listens on.
func (s *Sink) Host() string { return s.address().IP.String() }

// Port returns the port it listens on.
func (s *Sink) Port() int { return s.address().Port }

func (s *Sink) address() *net.TCPAddr { return s.listener.Addr().(*net.TCPAddr) }

// Mails returns the mails taken so far, in their order. They are the sink's: not to be changed.
func (s *Sink) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Wait blocks until n mails were taken and returns all that were, or the context's error.
func (s *Sink) Wait(ctx context.Context, n int) ([]Mail, error) {
	for {
		s.mu.Lock()
		mails, changed := slices.Clone(s.mails), s.changed
		s.mu.Unlock()
		if len(mails) >= n {
			return mails, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return mails, fmt.Errorf("mail sink: %d of %d mails came: %w", len(mails), n, context.Cause(ctx))
		}
	}
}

// Close stops listening, cuts the connections and waits until nothing runs any more. The mails stay readable. A second
// Close does nothing.
func (s *Sink) Close() error {
	s.mu.Lock()
	s.closed = true
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	err := s.listener.Close()
	s.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Sink) serve() {
	defer s.running.Done()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed: a TCP listener on loopback has no other lasting failure
		}
		if s.track(conn) {
			go func() {
				defer s.running.Done()
				defer s.forget(conn)
				newConversation(s, conn).run()
			}()
		}
	}
}

// track counts a connection among those that Close cuts. It refuses it if the sink is closed.
func (s *Sink) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return false
	}
	s.conns[conn] = true
	s.running.Add(1)
	return true
}

func (s *Sink) forget(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
	_ = conn.Close()
}

// keep takes a mail unless the sink is full.
func (s *Sink) keep(m Mail) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mails) >= MaxMails {
		return false
	}
	s.mails = append(s.mails, m)
	close(s.changed)
	s.changed = make(chan struct{})
	return true
}
