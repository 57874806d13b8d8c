package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// link is a connection to JetStream, and the streams there.
type link struct {
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	dead   jetstream.Stream
	end    func()        // ends what is under the connection, and waits for that; nil for a cluster
	bound  time.Duration // how long that may take

	replicas int
	trimmed  uint64 // the sequence up to which messages were deleted; guarded by the mu of the queue

	making atomic.Int32 // streams that are being made

	mu     sync.Mutex
	failed error // why it has to be replaced
	tables map[string]*bucket
}

// connect starts JetStream or connects to it, and makes the streams where they are missing.
func connect(ctx context.Context, o Options) (*link, error) {
	var l *link
	var err error
	if o.Cluster != nil {
		l, err = dial(ctx, o.Cluster, o.Logger)
	} else {
		l, err = embed(ctx, o)
	}
	if err != nil {
		return nil, unavailable("open the queue", err)
	}
	if err := l.prepare(ctx, o); err != nil {
		return nil, unavailable("prepare the queue's streams", errors.Join(err, l.close()))
	}
	return l, nil
}

func (l *link) prepare(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var err error
	if l.js, err = jetstream.New(l.conn); err != nil {
		return err
	}
	l.tables = make(map[string]*bucket)
	common := jetstream.StreamConfig{Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Replicas: l.replicas}
	entries := common
	entries.Name, entries.Subjects = streamName, []string{subject}
	entries.Description = "what the hosts of a fleet reported, until it is stored and judged"
	entries.Discard, entries.MaxBytes = jetstream.DiscardNew, o.Size+reserve
	entries.AllowDirect = l.replicas == 1 // with copies any server would answer, also one that has not heard of the last messages
	if l.stream, err = l.ensure(ctx, entries); err != nil {
		return fmt.Errorf("stream %s, for which room for %d MiB is set aside, on %d servers: %w", streamName, (o.Size+reserve)>>20, l.replicas, err)
	}
	dead := common
	dead.Name, dead.Subjects = deadStream, []string{deadSubject}
	dead.Description = "what could not be worked on"
	dead.Discard, dead.MaxBytes = jetstream.DiscardNew, deadBytes
	if l.dead, err = l.ensure(ctx, dead); err != nil {
		return fmt.Errorf("stream %s: %w", deadStream, err)
	}
	return nil
}

// ensure returns a stream, and makes it where it is missing, or changes it where it is not as it should be. One that is, is
// left alone: a change writes two files, and a process that is killed, or a disk that is full, may come between (see mend).
func (l *link) ensure(ctx context.Context, want jetstream.StreamConfig) (jetstream.Stream, error) {
	stream, err := l.js.Stream(ctx, want.Name)
	switch {
	case err == nil && isLike(stream.CachedInfo().Config, want):
		return stream, nil
	case err != nil && !errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, err
	}
	l.making.Add(1)
	defer l.making.Add(-1)
	return l.js.CreateOrUpdateStream(ctx, want)
}

// isLike tells whether a stream has all that is wanted of it. What Muster does not care about may be as it is.
func isLike(is, want jetstream.StreamConfig) bool {
	return is.Description == want.Description && slices.Equal(is.Subjects, want.Subjects) && is.Retention == want.Retention &&
		is.Storage == want.Storage && is.Replicas == want.Replicas && is.Discard == want.Discard && is.AllowDirect == want.AllowDirect &&
		max(is.MaxBytes, 0) == max(want.MaxBytes, 0) && max(is.MaxMsgsPerSubject, 0) == max(want.MaxMsgsPerSubject, 0)
}

// table returns a table, and makes it if there is none.
func (l *link) table(ctx context.Context, name string) (*bucket, error) {
	l.mu.Lock()
	known := l.tables[name]
	l.mu.Unlock()
	if known != nil {
		return known, nil
	}
	t, err := openBucket(ctx, l, name)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tables[name] = t
	return t, nil
}

// tooLarge returns an ErrTooLarge where a message of so many bytes is not taken.
func (l *link) tooLarge(size int) error {
	most := l.conn.MaxPayload() - headerMost
	switch {
	case int64(size) <= most:
		return nil
	case l.end != nil:
		return fmt.Errorf("%w: %d bytes, compressed, of which it takes %d", ErrTooLarge, size, most)
	}
	return fmt.Errorf("%w: %d bytes, compressed, of which the NATS servers take %d: raise max_payload in their configuration",
		ErrTooLarge, size, most)
}

// miss notes an error that says that a stream is gone.
func (l *link) miss(err error) {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		l.fail(fmt.Errorf("somebody has deleted a stream: %w", err))
	}
}

// suspect notes that a write was not confirmed. JetStream in this process is started again then: on what it shows after a
// write has failed nobody can rely.
func (l *link) suspect(err error) {
	if l.end != nil {
		l.fail(fmt.Errorf("a write was not confirmed: %w", err))
	}
}

func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = err
	}
}

// broken returns why the link will not work again by itself; nil: it will, or works.
func (l *link) broken() error {
	l.mu.Lock()
	failed := l.failed
	l.mu.Unlock()
	if failed != nil {
		return failed
	}
	if l.conn.IsClosed() {
		return errors.Join(errors.New("the connection was closed"), l.conn.LastError())
	}
	return nil
}

// close returns when the link has ended. JetStream in this process may not: where one of its goroutines waits for a lock that it
// holds itself (2.15.2 does after a purge that met a full disk) nothing but the end of the process ends that. Then the error is
// ErrStuck, and the files are JetStream's still: no other may be started on them.
func (l *link) close() error {
	ended := make(chan struct{})
	go func() { // it ends with the link, or with the process
		defer close(ended)
		if l.conn != nil {
			l.conn.Close()
		}
		if l.end != nil {
			l.end()
		}
	}()
	if l.end == nil {
		<-ended
		return nil
	}
	late := time.NewTimer(l.bound)
	defer late.Stop()
	select {
	case <-ended:
		return nil
	case <-late.C:
		return ErrStuck
	}
}
