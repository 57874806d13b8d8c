package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
)

// DefaultDeadline bounds a stage of Dial for which none is given.
const DefaultDeadline = 10 * time.Second

// clientVersion is what we call ourselves (RFC 4253, section 4.2), so that a host's log says who came.
const clientVersion = "SSH-2.0-Muster"

// Deadlines bound the stages of Dial, each on its own. Zero means DefaultDeadline; there is no way to have none.
type Deadlines struct{ Dial, Handshake, Authentication time.Duration }

// Options say whom to dial and as whom.
type Options struct {
	Host      string // the name in the configuration, for errors
	Address   string // host name or IP address, and the name under which known_hosts has the host
	Port      int    // zero: 22
	User      string
	Signers   []ssh.Signer // private keys, offered in this order before the password
	Password  string       // empty: none
	HostKeys  *HostKeys    // required
	Deadlines Deadlines

	// OnStage is called when a stage begins, one call at a time and none after Dial has returned; it must not block.
	// It may be nil.
	OnStage func(failure.Stage)

	// OnEvent is told of what happens in Dial and on the connection, for a person who looks into it; nil, as it is in a
	// sweep, costs nothing. Calls may come from several goroutines at once, and must not block.
	OnEvent func(Event)
}

// Dial connects to a host, verifies its key and logs in. It blocks for at most the sum of the three deadlines, or until
// ctx ends; on failure nothing stays open or running. The error is a *failure.Error of the stage failure.Dial,
// failure.Handshake or failure.Authentication; its kind is failure.Configuration where the options cannot work with any
// host. The caller must Close the connection.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	d := newDialer(o)
	if err := d.check(); err != nil {
		return nil, d.fail(failure.New("", failure.Configuration, err))
	}
	w, err := d.connect(ctx)
	if err != nil {
		return nil, d.fail(err)
	}
	conn, err := d.handshake(ctx, w)
	if err != nil {
		return nil, d.fail(err)
	}
	return conn, nil
}

// dialer is one call of Dial.
type dialer struct {
	Options
	address string // host:port
	login   *login
	refused *failure.Error // what the check of the host key found
	wire    *wire
	timer   *time.Timer
	traced  loginTrace

	mu    sync.Mutex
	stage failure.Stage
	limit time.Duration // the stage's deadline
}

func newDialer(o Options) *dialer {
	if o.Port == 0 {
		o.Port = 22
	}
	for _, limit := range []*time.Duration{&o.Deadlines.Dial, &o.Deadlines.Handshake, &o.Deadlines.Authentication} {
		if *limit <= 0 {
			*limit = DefaultDeadline
		}
	}
	return &dialer{
		Options: o,
		address: net.JoinHostPort(strings.ToLower(o.Address), strconv.Itoa(o.Port)),
		login:   &login{user: o.User, signers: o.Signers, password: o.Password},
	}
}

func (d *dialer) check() error {
	switch {
	case d.Address == "":
		return errors.New("no address is given")
	case d.Port < 1 || d.Port > 65535:
		return fmt.Errorf("port %d is not between 1 and 65535", d.Port)
	case d.User == "":
		return errors.New("no user is given")
	case d.HostKeys == nil:
		return errors.New("no known_hosts file is given, and host keys are always verified")
	case len(d.Signers) == 0 && d.Password == "":
		return errors.New("neither a key nor a password is given")
	}
	return nil
}

// fail completes a failure with the host and the stage.
func (d *dialer) fail(err error) error {
	found := *failure.From(d.current(), err)
	found.Host = d.Host
	if found.Stage == "" {
		found.Stage = failure.Dial
	}
	return &found
}

func (d *dialer) begin(stage failure.Stage, limit time.Duration) {
	d.mu.Lock()
	d.stage, d.limit = stage, limit
	d.mu.Unlock()
	if d.OnStage != nil {
		d.OnStage(stage)
	}
}

func (d *dialer) current() failure.Stage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stage
}

// connect resolves the address and opens the TCP connection.
func (d *dialer) connect(ctx context.Context) (*wire, error) {
	d.begin(failure.Dial, d.Deadlines.Dial)
	limited, cancel := context.WithTimeout(ctx, d.Deadlines.Dial)
	defer cancel()
	// A host that vanishes without a word is noticed within a minute, even where a caller's deadline is far away.
	network := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3,
	}}
	if d.OnEvent != nil {
		network.Control = d.traceAddress
	}
	conn, err := network.DialContext(limited, "tcp", d.address)
	if err != nil {
		return nil, d.explainDial(ctx, err)
	}
	d.traceConnected(conn)
	return newWire(conn), nil
}

// handshake is everything between the TCP connection and a connection that is ready for use.
func (d *dialer) handshake(ctx context.Context, w *wire) (*Conn, error) {
	d.wire = w
	d.begin(failure.Handshake, d.Deadlines.Handshake)
	d.timer = time.AfterFunc(d.Deadlines.Handshake, d.expire)
	defer d.timer.Stop()
	release := endWith(ctx, w)
	defer release()

	conn, channels, requests, err := ssh.NewClientConn(w, d.address, &ssh.ClientConfig{
		User:              d.User,
		ClientVersion:     clientVersion,
		HostKeyCallback:   d.verify,
		HostKeyAlgorithms: d.HostKeys.algorithms(d.address),
		AuthCallback:      d.next,
		BannerCallback:    d.traceBanner(),
	})
	d.traceEnd(err)
	if err != nil {
		return nil, d.explainHandshake(err)
	}
	w.loggedIn()
	return newConn(conn, w, d.OnEvent, channels, requests), nil
}

// expire ends the connection at the end of the stage it is in.
func (d *dialer) expire() {
	d.mu.Lock()
	reason := &stageTimeout{stage: d.stage, limit: d.limit}
	d.mu.Unlock()
	d.wire.end(reason)
}

// verify is the SSH library's question whether the host key is right. The library asks again whenever keys are
// exchanged anew on a connection in use.
func (d *dialer) verify(address string, remote net.Addr, key ssh.PublicKey) error {
	refused := d.HostKeys.check(address, remote, key)
	if d.current() == failure.Handshake {
		d.traceKey(address, key, refused == nil)
	}
	if refused != nil {
		d.refused = refused
		return refused
	}
	// The signature and the key are right: from here on it is the login that takes time. Stop returns false where
	// the handshake's deadline has just passed, or the login is long over.
	if d.current() == failure.Handshake && d.timer.Stop() {
		d.begin(failure.Authentication, d.Deadlines.Authentication)
		d.timer.Reset(d.Deadlines.Authentication)
	}
	return nil
}
