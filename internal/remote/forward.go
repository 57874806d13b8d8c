package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
)

// Gateway opens connections to hosts that are not reached directly.
type Gateway interface {
	// Open returns a connection to address, host:port. It may wait for its turn until ctx ends; what it does then ends
	// within limit. A connection's Close must make its other calls return. Errors are *failure.Error without host, of
	// Open and of the connection: they say at which machine on the way it failed.
	Open(ctx context.Context, address string, limit time.Duration) (net.Conn, error)
}

// Forward has the host open a TCP connection to address, host:port, as a jump host does (direct-tcpip, RFC 4254, section
// 7.2). It blocks until the host has answered, ctx ends or limit has passed. The connection lasts no longer than c.
//
// What a jump host carries may have ended for us before it has for the jump host: it answers late, or never. ended is called
// once in each call of Forward, when nothing is left of it there, or c has ended. It must not block.
//
// Errors are *failure.Error, here and from the connection's Read and Write: failure.JumpFailed where it is c that was lost or
// does not answer; failure.JumpRefused where the host forwards nothing to this address; failure.Refused, failure.Unreachable,
// failure.NoSuchHost or failure.Timeout where it tried in vain.
func (c *Conn) Forward(ctx context.Context, address string, limit time.Duration, ended func()) (net.Conn, error) {
	request, err := openRequest(address)
	if err != nil {
		ended()
		return nil, failure.New("", failure.Configuration, err)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// Nobody but the host itself knows that it lives: when it takes its time it is asked.
	doubt := time.AfterFunc(limit/2, c.probe)
	defer doubt.Stop()
	began := time.Now()
	opened, refused := make(chan *tunnel), make(chan error, 1)
	if !c.attach(func() {
		defer ended()
		c.forward(limited, request, opened, refused)
	}) {
		ended()
		return nil, c.lost(errClosed)
	}
	select {
	case t := <-opened:
		return t, nil
	case err := <-refused:
		return nil, c.explainForward(address, err)
	case <-limited.Done():
		if ctx.Err() != nil {
			return nil, because(newContextEnd(ctx))
		}
		return nil, c.explainSilence(address, limit, time.Since(began))
	}
}

// openRequest is the part of a channel's opening that is of the type direct-tcpip.
func openRequest(address string) ([]byte, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%q is not a port", port)
	}
	return ssh.Marshal(struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}{host, uint32(number), "127.0.0.1", 0}), nil // where we come from is nobody's business
}

// forward opens a channel and carries what goes through it until it is closed on both sides. The tunnel is handed over if
// somebody still wants it by then.
func (c *Conn) forward(wanted context.Context, request []byte, opened chan<- *tunnel, refused chan<- error) {
	channel, requests, err := c.openChannel("direct-tcpip", request)
	if err != nil {
		refused <- err
		return
	}
	near, far := net.Pipe()
	t := &tunnel{Conn: near, closed: make(chan struct{})}
	select {
	case opened <- t:
	case <-wanted.Done():
		_ = t.Close()
	}
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() { ssh.DiscardRequests(requests) })
	tasks.Go(func() {
		<-t.closed
		_ = channel.Close() // a writer that waits for room returns too
	})
	tasks.Go(func() {
		_, _ = io.Copy(channel, far)
		_ = t.Close() // the channel takes no more, or we have closed it
	})
	_, _ = io.Copy(far, channel)
	if !t.isClosed() && !c.alive() {
		<-c.over
		t.reason.Store(c.lost(c.err))
	}
	_ = far.Close()
	_, _ = io.Copy(io.Discard, channel) // until the host closes it as well
	_ = t.Close()
}

// tunnel is a TCP connection that a jump host opened for us. SSH channels know no deadlines, and a Close waits for the other
// side: so there is a pipe between, whose end we hold.
type tunnel struct {
	net.Conn
	reason atomic.Pointer[failure.Error] // why it ended, where the jump host is to blame
	once   sync.Once
	closed chan struct{}
}

func (t *tunnel) Close() error {
	t.once.Do(func() { close(t.closed) })
	return t.Conn.Close()
}

func (t *tunnel) isClosed() bool {
	select {
	case <-t.closed:
		return true
	default:
		return false
	}
}

func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	return n, t.explain(err)
}

func (t *tunnel) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	return n, t.explain(err)
}

func (t *tunnel) explain(err error) error {
	if reason := t.reason.Load(); reason != nil && err != nil {
		return reason
	}
	return err
}

// lost is the failure of what went through a connection that is no more.
func (c *Conn) lost(err error) *failure.Error {
	return Through(c.name, c.explain(failure.Disconnected, err))
}

// Through returns the failure of a host that can't be reached because of another failure, at the jump host of the given name
// or on the way to it.
func Through(name string, cause *failure.Error) *failure.Error {
	if cause.Kind == failure.Cancelled {
		return cause
	}
	at := *cause
	at.Host = name
	found := &failure.Error{Kind: failure.JumpFailed, Jump: at.Jump, Err: fmt.Errorf("through %w", &at), Advice: at.Help()}
	if found.Jump == "" {
		found.Jump = name
		found.Advice = fmt.Sprintf("at the jump host %s: %s", name, found.Advice)
	}
	return found
}

// explainForward says why a host opened no connection. What it says of a connection that failed is its operating system's
// text (the protocol has one code for all): of it only the kind of the failure depends, and the text is shown.
func (c *Conn) explainForward(address string, err error) error {
	var rejected *ssh.OpenChannelError
	if !errors.As(err, &rejected) {
		return c.lost(fmt.Errorf("open a connection to %s: %w", address, err))
	}
	said := fmt.Sprintf("%.128q", rejected.Message)
	switch rejected.Reason {
	case ssh.ConnectionFailed:
		kind := connectKind(rejected.Message)
		return &failure.Error{Kind: kind, Err: fmt.Errorf("%s cannot connect to %s: %s", c.name, address, said),
			Advice: fmt.Sprintf("seen from the jump host %s: %s", c.name, kind.Advice())}
	case ssh.ResourceShortage:
		return Through(c.name, &failure.Error{Kind: failure.Disconnected,
			Err:    fmt.Errorf("it has no room for a connection to %s: %s", address, said),
			Advice: "raise the limit on open files of its sshd, or let fewer connections through (sessions)"})
	}
	return &failure.Error{Kind: failure.JumpRefused, Jump: c.name,
		Err: fmt.Errorf("%s does not let us through to %s: %s", c.name, address, said),
		Advice: fmt.Sprintf("look at AllowTcpForwarding, DisableForwarding and PermitOpen in the sshd_config of the jump host "+
			"%s, and at restrictions beside the key in the user's authorized_keys", c.name)}
}

// connectKind recognises the errors of connecting that sshd and others on Unix and Windows pass on.
func connectKind(text string) failure.Kind {
	text = strings.ToLower(text)
	switch {
	case strings.Contains(text, "refused"):
		return failure.Refused
	case strings.Contains(text, "timed out"):
		return failure.Timeout
	case strings.Contains(text, "not known"), strings.Contains(text, "name resolution"), strings.Contains(text, "no address associated"):
		return failure.NoSuchHost
	}
	return failure.Unreachable
}

// explainSilence says why a host did not answer within limit whether a connection came about: either it is silent
// itself, or the one behind it is.
func (c *Conn) explainSilence(address string, limit, took time.Duration) error {
	if c.wire.silent() >= took {
		return Through(c.name, &failure.Error{Kind: failure.Timeout, Err: fmt.Errorf("it has not answered for %s", limit)})
	}
	return &failure.Error{Kind: failure.Timeout,
		Err: fmt.Errorf("no answer from %s through %s within %s", address, c.name, limit),
		Advice: fmt.Sprintf("check that the machine is up, and that no firewall between it and the jump host %s drops the "+
			"packets to its SSH port", c.name)}
}
