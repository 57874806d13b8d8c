package remote

import (
	"context"
	"errors"
	"net"
	"slices"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
)

var errShown = errors.New("the key was seen")

// ShownKey is the key that a host shows, which it has proved to have.
type ShownKey struct {
	Address string         // host:port, under which known_hosts has the host
	Key     ssh.PublicKey  // a certificate, where an authority is known for the host and it has one
	Refused *failure.Error // why the host is not trusted with it; nil: it is
}

// ShowHostKey connects to a host for as long as it takes to see its key, and compares that with what is known. Nothing
// secret is sent, to the host itself; the options' login is not used. It blocks for at most the sum of the first two
// deadlines, or until ctx ends. Errors are those of Dial.
func ShowHostKey(ctx context.Context, o Options) (*ShownKey, error) {
	d := newDialer(o)
	if d.User == "" {
		d.User = "nobody" // is not sent
	}
	if err := d.checkTarget(); err != nil {
		return nil, d.fail(failure.New("", failure.Configuration, err))
	}
	w, err := d.connect(ctx)
	if err != nil {
		return nil, d.fail(err)
	}
	shown, err := d.show(ctx, w)
	if err != nil {
		return nil, d.fail(err)
	}
	return shown, nil
}

// show is the handshake up to the host's key.
func (d *dialer) show(ctx context.Context, w *wire) (*ShownKey, error) {
	end := d.start(ctx, w)
	defer end()
	shown := &ShownKey{Address: d.known}
	_, _, _, err := ssh.NewClientConn(w, d.address, &ssh.ClientConfig{
		User:              d.User,
		ClientVersion:     clientVersion,
		HostKeyAlgorithms: d.anyAlgorithms(),
		HostKeyCallback: func(_ string, remote net.Addr, key ssh.PublicKey) error {
			shown.Key = key
			if refused := d.HostKeys.check(d.known, remote, key); refused != nil {
				shown.Refused = d.named(refused)
				shown.Refused.Host, shown.Refused.Stage = d.Host, failure.Handshake
			}
			return errShown
		},
	})
	w.end(errClosed)
	if shown.Key == nil {
		return nil, d.explainHandshake(err)
	}
	return shown, nil
}

// anyAlgorithms returns those in which the host is known, and then all others: a key that it lost is to be seen too.
func (d *dialer) anyAlgorithms() []string {
	all := slices.Clone(d.HostKeys.algorithms(d.known))
	for _, algorithm := range keyAlgorithms() {
		if !slices.Contains(all, algorithm) {
			all = append(all, algorithm)
		}
	}
	return all
}
