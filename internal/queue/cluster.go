package queue

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Cluster says where NATS servers with JetStream are.
type Cluster struct {
	URLs        []string // nats:// or tls://
	Username    string
	Password    string
	Credentials string // a file as nsc writes it, with a JWT and a seed; may be empty
	CA          string // a PEM file with those who vouch for the servers; may be empty
	Replicas    int    // of each stream
}

// dialTimeout is how long one server of a cluster may take to answer.
const dialTimeout = 5 * time.Second

// dial connects to a cluster, by the first of its servers that can be reached. From then on the connection restores itself.
func dial(ctx context.Context, c *Cluster, log *slog.Logger) (*link, error) {
	d := newDialer(ctx)
	options := []nats.Option{
		nats.Name("muster"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(time.Second),
		nats.Timeout(dialTimeout),
		nats.SetCustomDialer(d),
		nats.ReconnectBufSize(-1), // what can't be sent now is refused: it was not acknowledged
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("connection to the queue is lost", "err", err)
			}
		}),
		nats.ReconnectHandler(func(conn *nats.Conn) {
			log.Info("connection to the queue is there again", "server", conn.ConnectedUrlRedacted())
		}),
	}
	if c.Username != "" {
		options = append(options, nats.UserInfo(c.Username, c.Password))
	}
	if c.Credentials != "" {
		options = append(options, nats.UserCredentials(c.Credentials))
	}
	if c.CA != "" {
		options = append(options, nats.RootCAs(c.CA))
	}
	if slices.ContainsFunc(c.URLs, func(url string) bool { return strings.HasPrefix(url, "tls://") }) {
		options = append(options, nats.Secure()) // also where the server says that it speaks no TLS
	}
	conn, err := nats.Connect(strings.Join(c.URLs, ","), options...)
	reason := d.connected()
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, nats.ErrNoServers) && reason != nil:
		err = reason
	}
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, err
	}
	return &link{conn: conn, replicas: max(1, c.Replicas)}, nil
}

// dialer opens the connections. The first one is given up when its context ends.
type dialer struct {
	mu     sync.Mutex
	first  func(network, address string) (net.Conn, error) // nil: it is made
	bounds []func() bool                                   // end the hold of the context on what first returned
	err    error                                           // of the last attempt
}

func newDialer(ctx context.Context) *dialer {
	d := new(dialer)
	d.first = func(network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
		if err == nil {
			d.bounds = append(d.bounds, context.AfterFunc(ctx, func() { _ = c.Close() }))
		}
		return c, err
	}
	return d
}

// Dial is for nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.first == nil {
		return (&net.Dialer{Timeout: dialTimeout}).DialContext(context.Background(), network, address)
	}
	c, err := d.first(network, address)
	d.err = err
	return c, err
}

// connected lets go of the context, and returns why the last connection could not be opened.
func (d *dialer) connected() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.first = nil
	for _, stop := range d.bounds {
		stop()
	}
	return d.err
}
