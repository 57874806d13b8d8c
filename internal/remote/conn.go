package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
)

// errHostClosed takes the place of io.EOF, which would look like the end of what was read from the connection.
var errHostClosed = errors.New("the host closed it")

// lastWord is how long the SSH library may take to say that a channel is not opened, once the connection is over.
const lastWord = time.Second

var (
	errClosed     = fmt.Errorf("the connection was closed: %w", net.ErrClosed)
	errOneSession = errors.New("the host's SSH server, TinySSH, runs one session a connection")
)

// Conn is a connection to a host that has been verified and has let us in. Every method that can block ends when its
// context does, by closing the connection, after which every other call fails too.
type Conn struct {
	name    string // of the host in the configuration
	wire    *wire
	ssh     ssh.Conn
	trace   func(Event)   // may be nil
	over    chan struct{} // closed when the SSH connection is over
	err     error         // why; set before over is closed
	probing atomic.Bool   // the host is being asked whether it lives
	used    atomic.Bool   // a session was opened
	sftp    chan *Files   // holds the SFTP session, nil before it is opened; empty while somebody opens it

	mu      sync.Mutex
	closing bool // Close was called: no task begins any more
	tasks   sync.WaitGroup
}

func newConn(d *dialer, conn ssh.Conn, channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) *Conn {
	c := &Conn{
		name: d.Host, wire: d.wire, ssh: conn, trace: d.OnEvent, over: make(chan struct{}), sftp: make(chan *Files, 1),
	}
	c.sftp <- nil
	c.tasks.Go(func() { ssh.DiscardRequests(requests) })
	c.tasks.Go(func() {
		for channel := range channels { // a host has nothing to open towards us
			_ = channel.Reject(ssh.Prohibited, "")
		}
	})
	c.tasks.Go(func() {
		c.err = conn.Wait()
		close(c.over)
	})
	return c
}

// Close closes the connection and waits until all that belongs to it has ended. Processes on the host lose their standard
// input and output. Calls that block in other goroutines return with an error. It may be called more than once and never
// fails.
func (c *Conn) Close() error {
	c.wire.end(errClosed)
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.tasks.Wait()
	return nil
}

// run runs a task that ends with the connection, in a goroutine for which Close waits. When the connection has ended
// already the task does too: then it is run at once.
func (c *Conn) run(task func()) {
	if !c.attach(task) {
		task()
	}
}

// attach runs a task that ends with the connection, in a goroutine for which Close waits; false if Close was called.
func (c *Conn) attach(task func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	c.tasks.Go(task)
	return true
}

// Done is closed when the connection has ended, for whatever reason.
func (c *Conn) Done() <-chan struct{} { return c.over }

// Failure returns why the connection ended; nil while it has not. It may be called at any time.
func (c *Conn) Failure() *failure.Error {
	if !c.isOver() {
		return nil
	}
	return c.explain(failure.Disconnected, errClosed)
}

// Traffic returns the bytes sent and received so far on the wire, encryption and all. It may be called at any time.
func (c *Conn) Traffic() (sent, received int64) { return c.wire.sent.Load(), c.wire.received.Load() }

// isOver tells whether the connection has ended, for whatever reason.
func (c *Conn) isOver() bool { return c.wire.ended() != nil }

// explain returns the failure of a call: why the connection ended if it did, or otherwise the kind and err that the
// caller found.
func (c *Conn) explain(kind failure.Kind, err error) *failure.Error {
	reason := c.wire.ended()
	var known *failure.Error
	switch {
	case reason == nil:
		return failure.New("", kind, err)
	case errors.As(reason, &known): // of the jump host that carried the connection
		return known
	case isOurs(reason):
		return because(reason)
	case errors.Is(reason, errFlood):
		return &failure.Error{Kind: failure.Noise, Err: reason, Advice: "see what the command prints, run over ssh by hand: nothing of ours prints so much"}
	case errors.Is(reason, errClosed):
		return failure.New("", failure.Cancelled, reason)
	case errors.Is(reason, errHungUp):
		<-c.over // it is, or is about to be: the library closes the wire when it gives up
		return failure.New("", failure.Disconnected, fmt.Errorf("the connection broke: %w", c.err))
	}
	if errors.Is(reason, io.EOF) {
		reason = errHostClosed
	}
	return failure.New("", failure.Disconnected, fmt.Errorf("the connection was lost: %w", reason))
}

// alive asks the host for an answer of any kind. It tells a channel that the host closed from a connection that is
// coming to its end.
func (c *Conn) alive() bool {
	_, _, err := c.ssh.SendRequest("keepalive@openssh.com", true, nil)
	return err == nil
}

// openSession opens an SSH session channel (RFC 4254, section 6.1). What the host asks on it is handed to note, one after
// the other; closed is called when the channel is closed. A host that opens no session is a failure of the kind refused, and
// one that is known to open no second one of the kind failure.OneSession.
func (c *Conn) openSession(refused failure.Kind, note func(*ssh.Request), closed func()) (ssh.Channel, error) {
	if c.used.Swap(true) && bytes.Contains(c.ssh.ServerVersion(), []byte("tinyssh")) {
		// It refuses a second session while the first lasts, and hangs up after that: which of them comes is chance.
		return nil, failure.New("", failure.OneSession, errOneSession)
	}
	channel, requests, err := c.openChannel("session", nil)
	var rejected *ssh.OpenChannelError
	switch {
	case errors.As(err, &rejected):
		return nil, &failure.Error{Kind: refused, Err: fmt.Errorf("the host refuses to open a session: %w", err),
			Advice: "look at MaxSessions and the user's restrictions in the host's sshd_config and authorized_keys"}
	case err != nil:
		return nil, c.explain(failure.Disconnected, fmt.Errorf("open a session: %w", err))
	}
	c.run(func() {
		for request := range requests {
			note(request)
		}
		closed()
	})
	return channel, nil
}

// answered is what the host made of the wish to open a channel.
type answered struct {
	channel  ssh.Channel
	requests <-chan *ssh.Request
	err      error
}

// openChannel opens a channel of a kind (RFC 4254, section 5.1), and returns at the latest when the connection is over.
//
// The SSH library (x/crypto 0.58) would not: a channel that is asked for in the instant in which its reader has ended is
// never answered. Such a call can't be ended from outside. It is left behind, with one goroutine, in the rare case that the
// connection ends between the look at it and the library's.
func (c *Conn) openChannel(kind string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	if c.isOver() {
		return nil, nil, errClosed
	}
	answer := make(chan answered, 1)
	go func() {
		channel, requests, err := c.ssh.OpenChannel(kind, extra)
		answer <- answered{channel, requests, err}
	}()
	select {
	case a := <-answer:
		return a.channel, a.requests, a.err
	case <-c.over:
	}
	patience := time.NewTimer(lastWord)
	defer patience.Stop()
	select {
	case a := <-answer: // all that was asked for in time is answered at the end
		return a.channel, a.requests, a.err
	case <-patience.C:
		return nil, nil, errClosed
	}
}

// begin watches over a call for as long as it takes: the connection ends when ctx does.
func (c *Conn) begin(ctx context.Context) (release func() bool) { return endWith(ctx, c.wire) }
