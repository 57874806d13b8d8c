package remote

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
)

// Event is a step on the way to a host, or in the talk with it, for a person who looks into what happens. It holds no
// secret that we know. What the host said is in it as it came: whoever shows it makes it fit to be shown.
type Event interface {
	Name() string   // what it is: short, lower case, never renamed
	String() string // what happened, for a person; may have several lines
}

// The events of Dial, in their order; those that do not happen are left out.
type (
	// Trying is an address to which a connection is opened: one that the name resolved to.
	Trying struct{ Address string }
	// Connected is an open TCP connection.
	Connected struct{ Local, Remote string }
	// Greeted is how the host identified itself (RFC 4253, section 4.2).
	Greeted struct{ Version string }
	// HostKeyShown is the key with which the host proved itself. Known is the line that has it, as in known_hosts:3; empty
	// where none has, or where a certificate vouches for it.
	HostKeyShown struct {
		Key   string // type and fingerprint
		Known string
		Right bool
	}
	// KeysExchanged are the algorithms that both sides agreed on.
	KeysExchanged struct{ Algorithms ssh.NegotiatedAlgorithms }
	// LoginAllowed is how the host says that one may log in now. More says that something was accepted, and is not enough.
	LoginAllowed struct {
		Methods []string
		More    bool
	}
	// LoginOffered is what is offered to the host: keys, or the password.
	LoginOffered struct{ What []string }
	// LoginRefused is what the host did not accept.
	LoginRefused struct{ What []string }
	// LoggedIn is what the host accepted: one of What.
	LoggedIn struct{ What []string }
	// Banner is a message of the host to who logs in (RFC 4252, section 5.4).
	Banner struct{ Text string }
)

// The events of a connection.
type (
	// Ran is a command that Output has run to its end. Its output is cut.
	Ran struct {
		Command        string
		Stdout, Stderr []byte
		Status         int
		Err            error
	}
	// FileDone is an operation on a file, by SFTP.
	FileDone struct {
		Operation, Path string
		Err             error
	}
)

// Name returns "try".
func (Trying) Name() string { return "try" }

// Name returns "connected".
func (Connected) Name() string { return "connected" }

// Name returns "greeting".
func (Greeted) Name() string { return "greeting" }

// Name returns "host-key".
func (HostKeyShown) Name() string { return "host-key" }

// Name returns "algorithms".
func (KeysExchanged) Name() string { return "algorithms" }

// Name returns "login-allowed".
func (LoginAllowed) Name() string { return "login-allowed" }

// Name returns "login-offered".
func (LoginOffered) Name() string { return "login-offered" }

// Name returns "login-refused".
func (LoginRefused) Name() string { return "login-refused" }

// Name returns "logged-in".
func (LoggedIn) Name() string { return "logged-in" }

// Name returns "banner".
func (Banner) Name() string { return "banner" }

// Name returns "command".
func (Ran) Name() string { return "command" }

// Name returns "file".
func (FileDone) Name() string { return "file" }

func (e Trying) String() string { return "connecting to " + e.Address }

func (e Connected) String() string { return "connected to " + e.Remote + " from " + e.Local }

func (e Greeted) String() string { return "the host calls itself " + e.Version }

func (e HostKeyShown) String() string {
	switch {
	case e.Known != "":
		return "it shows the " + e.Key + ", known from " + e.Known
	case e.Right:
		return "it shows the " + e.Key + ", which is trusted"
	}
	return "it shows the " + e.Key + ", which is not trusted"
}

func (e KeysExchanged) String() string {
	a := e.Algorithms
	text := "key exchange " + a.KeyExchange + ", host key " + a.HostKey + ", cipher " + a.Write.Cipher
	if a.Write.MAC != "" {
		text += ", MAC " + a.Write.MAC
	}
	return text
}

func (e LoginAllowed) String() string {
	if e.More {
		return "that is accepted, and the host also wants one of: " + strings.Join(e.Methods, ", ")
	}
	return "the host allows: " + strings.Join(e.Methods, ", ")
}

func (e LoginOffered) String() string { return "offering " + strings.Join(e.What, ", ") }

func (e LoginRefused) String() string { return "refused: " + strings.Join(e.What, ", ") }

func (e LoggedIn) String() string {
	if len(e.What) == 0 {
		return "logged in"
	}
	return "logged in with " + strings.Join(e.What, " or ")
}

func (e Banner) String() string { return "the host says:\n" + e.Text }

func (e Ran) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ %s", e.Command)
	for _, stream := range [][]byte{e.Stdout, e.Stderr} {
		if stream = bytes.TrimSpace(stream); len(stream) > 0 {
			fmt.Fprintf(&b, "\n%s", stream)
		}
	}
	switch {
	case e.Err != nil:
		fmt.Fprintf(&b, "\n(%v)", e.Err)
	case e.Status != 0:
		fmt.Fprintf(&b, "\n(exit status %d)", e.Status)
	}
	return b.String()
}

func (e FileDone) String() string {
	if e.Err != nil {
		return "SFTP: " + e.Err.Error()
	}
	if to, ok := strings.CutPrefix(e.Operation, renameTo); ok {
		return fmt.Sprintf("SFTP: rename %s to %s", e.Path, to)
	}
	return fmt.Sprintf("SFTP: %s %s", e.Operation, e.Path)
}

// traceAddress is asked before each connection is opened.
func (d *dialer) traceAddress(_, address string, _ syscall.RawConn) error {
	d.OnEvent(Trying{address})
	return nil
}

// traceKey tells of the key that the host shows.
func (d *dialer) traceKey(key ssh.PublicKey, right bool) {
	if d.OnEvent == nil {
		return
	}
	if version := d.wire.version(); version != "" {
		d.OnEvent(Greeted{version})
	}
	shown := HostKeyShown{Key: describeKey(key), Right: right}
	for _, l := range d.HostKeys.lookup(d.known).keys {
		if right && string(l.key.Marshal()) == string(key.Marshal()) {
			shown.Known = fmt.Sprintf("%s:%d", l.file, l.line)
			break
		}
	}
	d.OnEvent(shown)
}

// loginTrace watches a login: what was offered since the host spoke last.
type loginTrace struct {
	begun   bool
	partial int // how many methods were accepted so far
	told    int // how much of what was tried has been told
	offered []string
}

// next is login.next with its trace.
func (d *dialer) next(ctx context.Context, c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	if d.OnEvent == nil {
		return d.login.next(ctx, c)
	}
	t := &d.traced
	if !t.begun {
		t.begun = true
		d.OnEvent(KeysExchanged{c.Algorithms})
	}
	d.traceOffers() // those that were made since, as an answer to a question is
	more := len(c.PartialSuccessMethods) > t.partial
	t.partial = len(c.PartialSuccessMethods)
	if !more && len(t.offered) > 0 {
		d.OnEvent(LoginRefused{t.offered})
	}
	t.offered = nil
	d.OnEvent(LoginAllowed{slices.Clone(c.AllowedMethods), more})
	method, err := d.login.next(ctx, c)
	d.traceOffers()
	return method, err
}

// traceOffers tells what the login has tried and nobody was told of.
func (d *dialer) traceOffers() {
	t := &d.traced
	if fresh := slices.Clone(d.login.tried[t.told:]); len(fresh) > 0 {
		t.told = len(d.login.tried)
		t.offered = append(t.offered, fresh...)
		d.OnEvent(LoginOffered{fresh})
	}
}

// traceEnd tells how the handshake ended.
func (d *dialer) traceEnd(err error) {
	if d.OnEvent == nil {
		return
	}
	d.traceOffers()
	switch {
	case err == nil:
		d.OnEvent(LoggedIn{d.traced.offered})
	case d.current() == failure.Handshake:
		if line, _ := d.wire.greeted(); line != "" && d.wire.version() == "" {
			d.OnEvent(Greeted{line})
		}
	case len(d.traced.offered) > 0:
		d.OnEvent(LoginRefused{d.traced.offered})
	}
}

// traceBanner returns what is told of banners; nil: nobody is.
func (d *dialer) traceBanner() ssh.BannerCallback {
	if d.OnEvent == nil {
		return nil
	}
	return func(text string) error {
		d.OnEvent(Banner{text})
		return nil
	}
}

// traceConnected tells of the TCP connection.
func (d *dialer) traceConnected(conn net.Conn) {
	if d.OnEvent != nil {
		d.OnEvent(Connected{Local: conn.LocalAddr().String(), Remote: conn.RemoteAddr().String()})
	}
}

// Trace hands an event of the caller's own to Options.OnEvent, if there is one.
func (c *Conn) Trace(e Event) {
	if c.trace != nil {
		c.trace(e)
	}
}

// IsTraced tells whether anybody wants events: for what costs something to put together.
func (c *Conn) IsTraced() bool { return c.trace != nil }

const tracedOutput = 4 << 10 // bytes of each stream of a command that an event has

// traceCommand tells of a command that has ended.
func (c *Conn) traceCommand(command string, r Result, err error) {
	if c.trace == nil {
		return
	}
	c.trace(Ran{
		Command: command, Status: r.Status, Err: err,
		Stdout: r.Stdout[:min(len(r.Stdout), tracedOutput)], Stderr: r.Stderr[:min(len(r.Stderr), tracedOutput)],
	})
}

// traceFile tells of an operation on a file.
func (c *Conn) traceFile(operation, path string, err error) {
	if c.trace != nil {
		c.trace(FileDone{operation, path, err})
	}
}
