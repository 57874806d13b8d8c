package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
)

// explainDial says why no TCP connection came about.
func (d *dialer) explainDial(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return because(newContextEnd(ctx))
	}
	found := failure.New(failure.Dial, failure.Classify(err), err)
	var dns *net.DNSError
	isDNS := errors.As(err, &dns)
	switch found.Kind {
	case failure.Refused:
		found.Advice = fmt.Sprintf("nothing listens on port %d of %s: check that sshd runs there, and the port", d.Port, d.Address)
	case failure.Timeout:
		found.Err = fmt.Errorf("no answer from %s within %s", d.address, d.Deadlines.Dial)
		found.Advice = "check that the machine is up, and that no firewall drops the packets to its SSH port"
		if isDNS {
			found.Err = fmt.Errorf("no answer to the name %s from the name server within %s", d.Address, d.Deadlines.Dial)
			found.Advice = "check the name server of this machine, or configure the host's IP address"
		}
	case failure.NoSuchHost:
		found.Advice = fmt.Sprintf("check the address %q in the configuration, and the name server", d.Address)
	case failure.Disconnected:
		if isDNS {
			found.Kind = failure.NoSuchHost
			found.Advice = "check the name server of this machine, or configure the host's IP address"
		}
	}
	return found
}

// explainGateway says why a gateway opened no connection.
func (d *dialer) explainGateway(ctx context.Context, err error) error {
	var known *failure.Error
	if errors.As(err, &known) {
		moved := *known
		moved.Stage = failure.Dial
		return &moved
	}
	return d.explainDial(ctx, err)
}

// explainHandshake says why a TCP connection did not become an SSH connection. What the wire knows comes first: the
// library's own error is then only an echo of it.
func (d *dialer) explainHandshake(err error) error {
	if d.refused != nil {
		return d.named(d.refused)
	}
	reason := d.wire.ended()
	if isOurs(reason) {
		return d.explainEnd(reason)
	}
	var known *failure.Error
	if errors.As(reason, &known) { // of the jump host that carried the connection
		return known
	}
	if errors.Is(reason, errTooMuch) {
		return d.explainFlood(reason)
	}
	lost := reason != nil && !errors.Is(reason, errHungUp) // the network's error, not the library's decision
	if d.current() == failure.Handshake {
		return d.explainKeyExchange(reason, lost, err)
	}
	if lost {
		return &failure.Error{Kind: failure.Disconnected, Err: fmt.Errorf("the connection was lost: %w", reason),
			Advice: "look into the host's sshd log: it may limit logins, or refuse the user without saying so"}
	}
	found := d.login.explain(err)
	if d.login.offered > 0 && d.login.accepted == 0 && isWindows(d.login.version) {
		found.Advice += keysOnWindows
	}
	return found
}

// keysOnWindows is where OpenSSH for Windows looks for keys, which is what people most often have wrong there.
const keysOnWindows = `; for a member of Administrators the host reads C:\ProgramData\ssh\administrators_authorized_keys` +
	" in place of the user's own file, and only if nobody but Administrators and SYSTEM has access to it"

// isWindows tells whether a server's name of itself is that of OpenSSH for Windows.
func isWindows(version string) bool { return strings.Contains(version, "OpenSSH_for_Windows") }

// explainFlood tells an SSH server with a banner that is too long from something else that talks.
func (d *dialer) explainFlood(reason error) error {
	if _, isSSH := d.wire.greeted(); isSSH {
		return &failure.Error{Kind: failure.Noise, Err: reason, Advice: "shorten the login banner (Banner in the host's sshd_config)"}
	}
	return &failure.Error{Kind: failure.NotSSH, Err: reason, Advice: "check that the port is sshd's: what answers there does not stop talking"}
}

func (d *dialer) explainEnd(reason error) error {
	found := because(reason)
	var timeout *stageTimeout
	if errors.As(reason, &timeout) {
		line, isSSH := d.wire.greeted()
		switch {
		case timeout.stage == failure.Authentication && d.login.password.waits:
			found.Advice = "the password is not sent while other hosts to which it was sent have not answered: see what they do"
		case timeout.stage == failure.Authentication:
			found.Advice = failure.Authentication.Slow()
		case line == "":
			found.Advice = "the port accepts connections and stays silent: check the port, and whether sshd on the host is overloaded"
		case !isSSH:
			found.Advice = "the port answers but not with SSH: check the port, and whether sshd on the host is overloaded"
		}
	}
	return found
}

// explainKeyExchange says why there was no verified host key.
func (d *dialer) explainKeyExchange(reason error, lost bool, err error) error {
	line, isSSH := d.wire.greeted()
	var algorithms *ssh.AlgorithmNegotiationError
	switch {
	case errors.As(err, &algorithms):
		return d.explainAlgorithms(algorithms)
	case isTooBusy(line):
		return &failure.Error{Kind: failure.Disconnected, Err: fmt.Errorf("the host refuses more connections: %q", line),
			Advice: "raise MaxStartups in the host's sshd_config, or see who keeps it busy"}
	case !isSSH && line != "":
		return &failure.Error{Kind: failure.NotSSH, Err: fmt.Errorf("%s answers %q, which is not SSH", d.address, line),
			Advice: "check that the port is sshd's"}
	case lost:
		return &failure.Error{Kind: failure.Disconnected, Err: fmt.Errorf("the connection was lost: %w", reason)}
	default:
		return &failure.Error{Kind: failure.NotSSH, Err: err}
	}
}

// explainAlgorithms tells a host that has none of the keys we know it by from one with which we share no algorithm at
// all.
func (d *dialer) explainAlgorithms(err *ssh.AlgorithmNegotiationError) error {
	if slices.Equal(err.SupportedAlgorithms, d.HostKeys.lookup(d.known).algorithms) {
		return d.named(d.HostKeys.notShown(d.known, err.RequestedAlgorithms))
	}
	return &failure.Error{Kind: failure.NotSSH, Err: err,
		Advice: "update the host's SSH server, or allow one of the algorithms we offer in its sshd_config"}
}

// named completes the advice about a host's key with the host's name.
func (d *dialer) named(refused *failure.Error) *failure.Error {
	if refused.Advice != adviceUnknown && refused.Advice != adviceChanged {
		return refused
	}
	complete := *refused
	complete.Advice += " " + Quote(d.Host)
	return &complete
}

// isTooBusy recognises the line that OpenSSH sends in place of its version when it has too many connections. There is
// no code for it in the protocol.
func isTooBusy(line string) bool {
	return strings.HasPrefix(line, "Exceeded MaxStartups") || strings.HasPrefix(line, "Not allowed at this time")
}

// quoteAll lists names that came from a host, at most twelve of them.
func quoteAll(names []string) string {
	var b strings.Builder
	for i, name := range names {
		if i == 12 {
			b.WriteString(" …")
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%.64q", name)
	}
	return b.String()
}
