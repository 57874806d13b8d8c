package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// asked is where a channel of the type direct-tcpip is to lead.
func asked(t testing.TB, c ssh.NewChannel) string {
	t.Helper()
	var request struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(c.ExtraData(), &request); err != nil || c.ChannelType() != "direct-tcpip" {
		t.Errorf("%s: %v", c.ChannelType(), err)
	}
	return net.JoinHostPort(request.Host, strconv.Itoa(int(request.Port)))
}

// forwarder is a jump host whose channels are handled as a test wants.
func forwarder(t testing.TB, handle func(to string, c ssh.NewChannel)) *remote.Conn {
	t.Helper()
	server := newServer(t, sshtest.Options{Channel: func(c ssh.NewChannel) { handle(asked(t, c), c) }})
	o := options(t, server)
	o.Host = "bastion"
	return dial(t, o)
}

// accept opens a channel.
func accept(t testing.TB, c ssh.NewChannel) ssh.Channel {
	channel, requests, err := c.Accept()
	if err != nil {
		t.Error(err)
		return nil
	}
	go ssh.DiscardRequests(requests)
	return channel
}

// mirror sends back what comes.
func mirror(t testing.TB) func(string, ssh.NewChannel) {
	return func(_ string, c ssh.NewChannel) {
		if channel := accept(t, c); channel != nil {
			_, _ = io.Copy(channel, channel)
			_ = channel.Close()
		}
	}
}

// counter counts the calls of a function that is to be called once.
func counter(t testing.TB) func() {
	var count atomic.Int32
	called := make(chan struct{}, 10)
	t.Cleanup(func() {
		select {
		case <-called:
		case <-time.After(deadline):
			t.Error("what was left there never ended")
		}
		if n := count.Load(); n != 1 {
			t.Errorf("ended was called %d times", n)
		}
	})
	return func() {
		count.Add(1)
		called <- struct{}{}
	}
}

func TestForwardCarriesBytes(t *testing.T) {
	noLeak(t)
	conn := forwarder(t, mirror(t))
	through, err := conn.Forward(within(t), "[2001:db8::1]:22", deadline, counter(t))
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<19)
	go func() { _, _ = through.Write(content) }()
	got := make([]byte, len(content))
	if _, err := io.ReadFull(through, got); err != nil || !bytes.Equal(got, content) {
		t.Errorf("something else came back, %v", err)
	}
	_ = through.Close()
	if _, err := through.Read(got); err == nil {
		t.Error("it can be read after Close")
	}
	if conn.Failure() != nil {
		t.Errorf("the connection to the jump host has ended too: %v", conn.Failure())
	}
}

// TestForwardCloseEndsCalls has calls that wait: nothing comes, and what goes is not taken.
func TestForwardCloseEndsCalls(t *testing.T) {
	noLeak(t)
	release := make(chan struct{})
	conn := forwarder(t, func(_ string, c ssh.NewChannel) {
		accept(t, c)
		<-release
	})
	defer close(release)
	through, err := conn.Forward(within(t), "web1:22", deadline, counter(t))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	go func() {
		_, err := through.Read(make([]byte, 1))
		ended <- err
	}()
	go func() {
		_, err := through.Write(make([]byte, 16<<20)) // more than the window of a channel
		ended <- err
	}()
	_ = through.SetReadDeadline(time.Now())
	if err := <-ended; err == nil {
		t.Error("there was nothing to read")
	}
	_ = through.Close()
	if err := <-ended; err == nil {
		t.Error("all was written")
	}
}

func TestForwardTellsTheHostsEndFromTheJumpHosts(t *testing.T) {
	noLeak(t)
	bastion := make(chan ssh.Channel, 2)
	conn := forwarder(t, func(_ string, c ssh.NewChannel) { bastion <- accept(t, c) })
	through, err := conn.Forward(within(t), "web1:22", deadline, counter(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = (<-bastion).Close()
	if _, err := through.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the host closed: got %v", err)
	}
	_ = through.Close()

	through, err = conn.Forward(within(t), "web1:22", deadline, counter(t))
	if err != nil {
		t.Fatal(err)
	}
	defer through.Close()
	<-bastion
	go conn.Close()
	_, err = through.Read(make([]byte, 1))
	want{kind: failure.Cancelled}.check(t, err)
	_, err = conn.Forward(within(t), "web1:22", deadline, counter(t))
	want{kind: failure.Cancelled}.check(t, err)
}

func TestForwardThatIsRefused(t *testing.T) {
	for _, c := range []struct {
		reason ssh.RejectionReason
		text   string
		want   want
	}{
		{ssh.Prohibited, "open failed", want{kind: failure.JumpRefused, says: []string{`bastion does not let us through to web1:22: "open failed"`}, advice: []string{"AllowTcpForwarding"}}},
		{ssh.UnknownChannelType, "what", want{kind: failure.JumpRefused, advice: []string{"AllowTcpForwarding"}}},
		{ssh.ConnectionFailed, "Connection refused", want{kind: failure.Refused, says: []string{"bastion cannot connect to web1:22"}, advice: []string{"seen from the jump host bastion: "}}},
		{ssh.ConnectionFailed, "Connection timed out", want{kind: failure.Timeout}},
		{ssh.ConnectionFailed, "No route to host", want{kind: failure.Unreachable}},
		{ssh.ConnectionFailed, "Name or service not known", want{kind: failure.NoSuchHost}},
		{ssh.ConnectionFailed, "\x1b[2J" + string(bytes.Repeat([]byte("x"), 1000)), want{kind: failure.Unreachable, says: []string{`"\x1b[2Jxxx`}}},
		{ssh.ResourceShortage, "too many", want{kind: failure.JumpFailed, says: []string{"through bastion: it has no room"}, advice: []string{"at the jump host bastion: raise"}}},
	} {
		t.Run(c.text, func(t *testing.T) {
			noLeak(t)
			conn := forwarder(t, func(_ string, n ssh.NewChannel) { _ = n.Reject(c.reason, c.text) })
			_, err := conn.Forward(within(t), "web1:22", deadline, counter(t))
			if found := c.want.check(t, err); len(found.Error()) > 300 {
				t.Errorf("%d characters: %s", len(found.Error()), found)
			}
		})
	}
	for _, address := range []string{"web1", "web1:none", "web1:70000"} {
		conn := forwarder(t, mirror(t))
		_, err := conn.Forward(within(t), address, deadline, counter(t))
		want{kind: failure.Configuration}.check(t, err)
	}
}

// TestForwardThatIsNotAnswered has a jump host that waits for a host behind it, and lives.
func TestForwardThatIsNotAnswered(t *testing.T) {
	noLeak(t)
	late := make(chan struct{})
	conn := forwarder(t, func(_ string, c ssh.NewChannel) {
		<-late
		if channel := accept(t, c); channel != nil {
			_, _ = io.Copy(io.Discard, channel) // it is closed as soon as it is open
			_ = channel.Close()
		}
	})
	patiently(t, func(limit time.Duration) string {
		_, err := conn.Forward(within(t), "web1:22", limit, counter(t))
		return want{kind: failure.Timeout, says: []string{"no answer from web1:22 through bastion within " + limit.String()},
			advice: []string{"no firewall between it and the jump host bastion"}}.wrong(err)
	})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(short, cancel)
	_, err := conn.Forward(ctx, "web1:22", deadline, counter(t))
	want{kind: failure.Cancelled}.check(t, err)
	close(late)
}

func TestWatchEndsASilentConnection(t *testing.T) {
	noLeak(t)
	silent := make(chan struct{})
	wrote := make(chan struct{}, 1000)
	server := newServer(t, sshtest.Options{Accept: func(c net.Conn) net.Conn { return &gagged{c, silent, wrote} }})
	conn := dial(t, options(t, server))
	for len(wrote) > 0 {
		<-wrote
	}
	const interval, patience = short / 10, 4 * short
	conn.Watch(interval, patience)
	for began := time.Now(); time.Since(began) < 2*(interval+patience); { // it lives, and says so
		select {
		case <-conn.Done():
			t.Fatal(conn.Failure())
		case <-wrote:
		case <-time.After(deadline):
			t.Fatal("it is not asked")
		}
	}
	close(silent)
	select {
	case <-conn.Done():
	case <-time.After(deadline):
		t.Fatal("nobody notices")
	}
	want{kind: failure.Disconnected, says: []string{"no answer for"}}.check(t, conn.Failure())
}

// TestWatchAsksBeforeItEndsAConnection has one that nobody looked at for longer than the host has to answer, as after a
// stay of this machine.
func TestWatchAsksBeforeItEndsAConnection(t *testing.T) {
	noLeak(t)
	wrote := make(chan struct{}, 1000)
	server := newServer(t, sshtest.Options{Accept: func(c net.Conn) net.Conn { return &gagged{c, nil, wrote} }})
	conn := dial(t, options(t, server))
	const interval, patience = short / 10, 2 * short
	<-time.After(interval + patience)
	for len(wrote) > 0 {
		<-wrote
	}
	conn.Watch(interval, patience)
	for range 3 {
		select {
		case <-conn.Done():
			t.Fatal(conn.Failure())
		case <-wrote:
		}
	}
}

// gagged is a connection on which nothing is said any more after a while.
type gagged struct {
	net.Conn
	silent chan struct{} // closed: nothing is said
	wrote  chan struct{} // gets a token for each Write that is
}

func (g *gagged) Write(p []byte) (int, error) {
	select {
	case <-g.silent:
		return len(p), nil
	default:
		g.wrote <- struct{}{}
		return g.Conn.Write(p)
	}
}

// BenchmarkForward is the bytes of a host that come through a jump host, in one process.
func BenchmarkForward(b *testing.B) {
	conn := forwarder(b, mirror(b))
	through, err := conn.Forward(b.Context(), "web1:22", deadline, func() {})
	if err != nil {
		b.Fatal(err)
	}
	defer through.Close()
	block := make([]byte, 32<<10)
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		go func() { _, _ = through.Write(block) }()
		if _, err := io.ReadFull(through, block); err != nil {
			b.Fatal(err)
		}
	}
}
