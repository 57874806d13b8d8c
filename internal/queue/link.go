package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// link is a connection to JetStream, and the streams there.
type link struct {
	*packer
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	dead   jetstream.Stream
	ends   chan struct{} // closed when JetStream in this process has stopped working; nil for a cluster
	end    func()        // ends what is under the connection

	replicas int
	trimmed  uint64 // the sequence up to which messages were deleted; guarded by the mu of the queue

	mu     sync.Mutex
	tables map[string]jetstream.KeyValue
}

// connect starts JetStream or connects to it, and makes the streams where they are missing.
func connect(ctx context.Context, o Options) (*link, error) {
	var l *link
	var err error
	if o.Cluster != nil {
		l, err = dial(o.Cluster, o.Logger)
	} else {
		l, err = embed(ctx, o)
	}
	if err != nil {
		return nil, unavailable("open the queue", err)
	}
	if err := l.prepare(ctx, o); err != nil {
		l.close()
		return nil, unavailable("prepare the queue's streams", err)
	}
	return l, nil
}

func (l *link) prepare(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var err error
	if l.packer, err = newPacker(); err != nil {
		return err
	}
	if l.js, err = jetstream.New(l.conn); err != nil {
		return err
	}
	l.tables = make(map[string]jetstream.KeyValue)
	common := jetstream.StreamConfig{Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Replicas: l.replicas}
	entries := common
	entries.Name, entries.Subjects = streamName, []string{subject}
	entries.Description = "what the hosts of a fleet reported, until it is stored and judged"
	entries.Discard, entries.MaxBytes = jetstream.DiscardNew, o.Size+reserve
	if l.stream, err = l.js.CreateOrUpdateStream(ctx, entries); err != nil {
		return fmt.Errorf("stream %s: %w", streamName, err)
	}
	dead := common
	dead.Name, dead.Subjects = deadStream, []string{deadSubject}
	dead.Description = "what could not be worked on"
	dead.Discard, dead.MaxBytes = jetstream.DiscardNew, deadBytes
	if l.dead, err = l.js.CreateOrUpdateStream(ctx, dead); err != nil {
		return fmt.Errorf("stream %s: %w", deadStream, err)
	}
	return nil
}

// table returns a key-value bucket, and makes it if there is none.
func (l *link) table(ctx context.Context, name string) (jetstream.KeyValue, error) {
	l.mu.Lock()
	known := l.tables[name]
	l.mu.Unlock()
	if known != nil {
		return known, nil
	}
	bucket := streamName + "_" + name
	table, err := l.js.KeyValue(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		table, err = l.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: bucket, Storage: jetstream.FileStorage, History: 1, Replicas: l.replicas, MaxBytes: -1,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", bucket, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tables[name] = table
	return table, nil
}

// maxPayload is the size of the largest message, in bytes, with something left for its headers.
func (l *link) maxPayload() int64 { return l.conn.MaxPayload() - 4096 }

// broken reports whether the link will not work again by itself.
func (l *link) broken() bool {
	if l.conn.IsClosed() {
		return true
	}
	select {
	case <-l.ends:
		return true
	default:
		return false
	}
}

func (l *link) close() {
	l.conn.Close()
	if l.end != nil {
		l.end()
	}
}
