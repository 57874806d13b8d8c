package queue

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
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
	d := &dialer{first: ctx.Done()}
	defer d.connected.Store(true)
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
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, err
	}
	return &link{conn: conn, replicas: max(1, c.Replicas)}, nil
}

// dialer makes the first connection until its context ends, and later ones without it.
type dialer struct {
	first     <-chan struct{}
	connected atomic.Bool
}

// Dial is for nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	if !d.connected.Load() {
		stop := make(chan struct{})
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			select {
			case <-d.first:
				cancel()
			case <-stop:
			}
		}()
		defer func() { close(stop); <-stopped }()
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}
