package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
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
	Address   string // host name or IP address
	Port      int    // zero: 22
	User      string
	KnownAs   string       // the name under which known_hosts has the host, without a port; empty: its address and port
	Signers   []ssh.Signer // private keys and certificates that were named, offered in this order
	Agent     *Agent       // whose other keys are offered after them; nil: none
	Password  string       // empty: none
	Passwords PasswordGate // asked before the password is sent, and told what became of it; nil: it may be sent
	Methods   []string     // of login, in their order; empty: publickey, password, keyboard-interactive
	HostKeys  *HostKeys    // required
	Deadlines Deadlines
	Through   Gateway // what opens the connection to the host, where it is not reached directly; nil: it is

	// OnStage is called when a stage begins, one call at a time and none after Dial has returned; it must not block.
	// It may be nil.
	OnStage func(failure.Stage)

	// OnEvent is told of what happens in Dial and on the connection, for a person who looks into it; nil, as it is in a
	// sweep, costs nothing. Calls may come from several goroutines at once, and must not block.
	OnEvent func(Event)
}

// Dial connects to a host, verifies its key and logs in. It blocks for at most the sum of the three deadlines, and where
// there is a gateway for as long as that lets it wait, or until ctx ends; on failure nothing stays open or running. The
// error is a *failure.Error of the stage failure.Dial, failure.Handshake or failure.Authentication; its kind is
// failure.Configuration where the options cannot work with any host. The caller must Close the connection.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	d := newDialer(o)
	if err := d.check(); err != nil {
		return nil, d.fail(failure.New("", failure.Configuration, err))
	}
	for {
		w, err := d.connect(ctx)
		if err != nil {
			return nil, d.fail(err)
		}
		conn, err := d.handshake(ctx, w)
		if err == nil {
			return conn, nil
		}
		if !d.another() {
			return nil, d.fail(err)
		}
	}
}

// dialer is one call of Dial.
type dialer struct {
	Options
	address string // host:port
	known   string // the same under the name that known_hosts has for it
	login   *login
	wire    *wire
	timer   *time.Timer
	traced  loginTrace

	accepted ssh.PublicKey  // the host's key
	refused  *failure.Error // what the check of the host key found
	shown    []string       // types of keys of the host that are not the pinned one
	unpinned bool           // the last key was not

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
	if len(o.Methods) == 0 {
		o.Methods = defaultMethods()
	}
	d := &dialer{
		Options: o,
		address: net.JoinHostPort(strings.ToLower(o.Address), strconv.Itoa(o.Port)),
		login:   newLogin(&o),
	}
	d.known = d.address
	if o.KnownAs != "" { // as with ssh's HostKeyAlias, no port counts
		d.known = net.JoinHostPort(strings.ToLower(o.KnownAs), "22")
	}
	return d
}

// checkTarget says what is wrong with whom to dial.
func (d *dialer) checkTarget() error {
	switch {
	case d.Address == "":
		return errors.New("no address is given")
	case d.Port < 1 || d.Port > 65535:
		return fmt.Errorf("port %d is not between 1 and 65535", d.Port)
	case d.HostKeys == nil:
		return errors.New("no known_hosts file is given, and host keys are always verified")
	}
	return nil
}

func (d *dialer) check() error {
	if err := d.checkTarget(); err != nil {
		return err
	}
	switch {
	case d.User == "":
		return errors.New("no user is given")
	case len(d.Signers) == 0 && d.Agent == nil && d.Password == "":
		return errors.New("neither a key nor a password is given")
	}
	for _, method := range d.Methods {
		if !slices.Contains(defaultMethods(), method) {
			return fmt.Errorf("%.40q is no method of login: there are %s", method, strings.Join(defaultMethods(), ", "))
		}
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
	if d.Through != nil {
		conn, err := d.Through.Open(ctx, d.address, d.Deadlines.Dial)
		if err != nil {
			return nil, d.explainGateway(ctx, err)
		}
		return newWire(conn), nil
	}
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

// another tells whether to try again, for a host that has shown a key that is not the pinned one, and may have others.
func (d *dialer) another() bool {
	if !d.unpinned || len(d.algorithms()) == 0 {
		return false
	}
	d.login = newLogin(&d.Options)
	return true
}

// algorithms returns those in which the host is to prove itself.
func (d *dialer) algorithms() []string {
	return slices.DeleteFunc(slices.Clone(d.HostKeys.algorithms(d.known)), func(algorithm string) bool {
		return slices.Contains(d.shown, keyType(algorithm))
	})
}

// handshake is everything between the TCP connection and a connection that is ready for use.
func (d *dialer) handshake(ctx context.Context, w *wire) (*Conn, error) {
	defer d.start(ctx, w)()
	d.login.wire, d.unpinned = w, false
	login, over := context.WithCancel(context.WithoutCancel(ctx)) // ends with the wire, which then knows why
	defer over()
	w.atEnd(over)

	conn, channels, requests, err := ssh.NewClientConn(w, d.address, &ssh.ClientConfig{
		User:              d.User,
		ClientVersion:     clientVersion,
		HostKeyCallback:   func(_ string, remote net.Addr, key ssh.PublicKey) error { return d.verify(login, remote, key) },
		HostKeyAlgorithms: d.algorithms(),
		AuthCallback:      func(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) { return d.next(login, c) },
		BannerCallback:    d.traceBanner(),
	})
	d.login.end(err)
	d.traceEnd(err)
	if err != nil {
		return nil, d.explainHandshake(err)
	}
	w.loggedIn()
	return newConn(d, conn, channels, requests), nil
}

// start begins the handshake on a wire, which ends at the deadline, or when ctx does. What it returns ends the watch.
func (d *dialer) start(ctx context.Context, w *wire) (stop func()) {
	d.wire = w
	d.begin(failure.Handshake, d.Deadlines.Handshake)
	d.timer = time.AfterFunc(d.Deadlines.Handshake, d.expire)
	release := endWith(ctx, w)
	return func() {
		release()
		d.timer.Stop()
	}
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
func (d *dialer) verify(ctx context.Context, remote net.Addr, key ssh.PublicKey) error {
	if d.accepted != nil && sameKey(d.accepted, key) {
		return nil
	}
	refused := d.HostKeys.accept(ctx, d.known, remote, key)
	if d.current() == failure.Handshake {
		d.traceKey(key, refused == nil)
	}
	if refused != nil {
		if d.unpinned = errors.Is(refused, errNotPinned); d.unpinned {
			d.shown = append(d.shown, key.Type())
		}
		if d.refused == nil && ctx.Err() == nil {
			d.refused = refused
		}
		return refused
	}
	d.accepted, d.refused = key, nil
	// The signature and the key are right: from here on it is the login that takes time. Stop returns false where
	// the handshake's deadline has just passed, or the login is long over.
	if d.current() == failure.Handshake && d.timer.Stop() {
		d.begin(failure.Authentication, d.Deadlines.Authentication)
		d.timer.Reset(d.Deadlines.Authentication)
	}
	return nil
}
