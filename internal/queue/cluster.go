package queue

import (
	"log/slog"
	"strings"
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

// dial connects to a cluster. From then on the connection restores itself.
func dial(c *Cluster, log *slog.Logger) (*link, error) {
	options := []nats.Option{
		nats.Name("muster"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(time.Second),
		nats.Timeout(callTimeout),
		nats.ReconnectBufSize(-1), // what can't be sent now is refused: it was not acknowledged
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Error("queue is not available", "err", err)
			}
		}),
		nats.ReconnectHandler(func(conn *nats.Conn) {
			log.Info("queue is available again", "server", conn.ConnectedUrlRedacted())
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
	conn, err := nats.Connect(strings.Join(c.URLs, ","), options...)
	if err != nil {
		return nil, err
	}
	return &link{conn: conn, replicas: max(1, c.Replicas)}, nil
}
