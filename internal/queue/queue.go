package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Errors that callers test for. Their chains hold the cause.
var (
	ErrFull        = errors.New("the queue is full")                  // a bound is reached: see State
	ErrUnavailable = errors.New("the queue could not be used")        // now; it may be later
	ErrTooLarge    = errors.New("the entry is too large for a queue") // and always will be
	ErrKey         = errors.New("the key of the queue does not fit")  // its files were written with another, or it is gone

	// ErrStuck is final: see Queue.Stuck.
	ErrStuck = errors.New("JetStream hangs and can't be ended: the process has to be started again")
)

const (
	streamName  = "MUSTER"
	subject     = "muster.entries"
	deadStream  = "MUSTER_DEAD"
	deadSubject = "muster.dead"
	cursorTable = "cursors"
	reserve     = 64 << 20 // bytes that are left to vital entries at the bound
	deadBytes   = 256 << 20
	minFree     = 128 << 20        // bytes that a disk must have left; vital entries may use half of it
	lookEvery   = time.Second      // how often the state is looked at
	callTimeout = 10 * time.Second // of one exchange with JetStream
	embeddedMax = 8 << 20          // bytes of the largest message JetStream takes in this process
	headerMost  = 4 << 10          // bytes that the headers of a message may have
	packBytes   = 512 << 10        // bytes of entries, before compression, after which a group is full
)

// Options say where the queue is and how much it may hold.
type Options struct {
	Folder  string           // of the queue that runs in this process, made if missing; its key is Folder.key
	Cluster *Cluster         // nil: in this process
	Size    int64            // bytes that may wait, compressed; 0: 4 GiB
	Age     time.Duration    // how old what waits may get; 0: 7 days
	Readers []string         // who reads: letters, digits, - and _; required
	Logger  *slog.Logger     // nil: nothing is logged
	Now     func() time.Time // nil: time.Now

	// Patience is how long Put tries while the queue can't be used; 0: 30 s. A cluster needs some seconds to agree on a
	// leader, and JetStream in this process to start again. After that every Put tries once.
	Patience time.Duration

	// FreeSpace returns the bytes that the disk of a folder has left; nil: what the system says.
	FreeSpace func(folder string) (uint64, error)
}

// Entry is one thing in the queue.
type Entry struct {
	Kind  string // what Data is; at most 255 bytes
	ID    string // names it for people; at most 255 bytes
	Data  []byte // must not be changed once given to Put, or got from a Reader
	Vital bool   // may use the reserve

	// Of entries that were read:
	Position Position
	Number   uint64    // counts entries from 1, in the order of the stream
	Stored   time.Time // when JetStream took it
}

// Position is a place in the stream. All entries of one group have the same.
type Position struct {
	Sequence uint64 `json:"sequence"` // of the group
	Entries  uint64 `json:"entries"`  // how many there were up to its end, ever
}

// Queue is a durable queue. Make it with Open.
type Queue struct {
	*packer
	options Options
	log     *slog.Logger
	now     func() time.Time

	stop     context.CancelFunc
	done     sync.WaitGroup
	closing  sync.Once
	puts     chan *put
	appended *signal            // something was appended
	passed   *signal            // a reader has done some work
	hurry    chan struct{}      // holds a token where something seems to be wrong
	look     chan chan struct{} // asks the keeper to look now
	ended    chan struct{}      // closed by Close
	stuck    chan struct{}      // closed where JetStream can't be ended

	mu      sync.Mutex
	link    *link // nil: not available
	failure error // why
	last    Position
	readers map[string]*Reader
	state   State
	starved bool   // the disk has no room for vital entries either
	held    uint64 // not 0: groups from this sequence on are not deleted, since a write is not resolved

	// Of the goroutine that writes.
	unsure  bool      // the stream may hold more than we know of
	failing time.Time // since when nothing can be written; zero: it can
}

// Open opens the queue, and makes it if there is none. It blocks until JetStream is ready, or ctx ends. The caller closes
// the queue, after everybody who uses it has ended.
//
// Errors: ErrUnavailable, ErrKey, or ctx's.
func Open(ctx context.Context, o Options) (*Queue, error) {
	if o.Size == 0 {
		o.Size = 4 << 30
	}
	if o.Age == 0 {
		o.Age = 7 * 24 * time.Hour
	}
	if o.Patience == 0 {
		o.Patience = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FreeSpace == nil {
		o.FreeSpace = freeSpace
	}
	codec, err := newPacker()
	if err != nil {
		return nil, err
	}
	q := &Queue{
		packer: codec, options: o, log: o.Logger, now: o.Now,
		puts:     make(chan *put),
		appended: newSignal(),
		passed:   newSignal(),
		hurry:    make(chan struct{}, 1),
		look:     make(chan chan struct{}),
		ended:    make(chan struct{}),
		stuck:    make(chan struct{}),
		readers:  make(map[string]*Reader, len(o.Readers)),
	}
	for _, name := range o.Readers {
		q.readers[name] = &Reader{queue: q, name: name}
	}
	l, err := connect(ctx, o)
	if err != nil {
		q.packer.close()
		return nil, err
	}
	if err := q.takeUp(ctx, l); err != nil {
		q.packer.close()
		return nil, unavailable("take up the queue", errors.Join(err, l.close()))
	}
	q.link = l
	q.examine(ctx)
	running, stop := context.WithCancel(context.Background())
	q.stop = stop
	q.done.Go(func() { q.publish(running) })
	q.done.Go(func() { q.keep(running) })
	return q, nil
}

// Close ends the queue: puts that wait return ErrUnavailable. What was put stays. The error is ErrStuck, or nil.
func (q *Queue) Close() error {
	var err error
	q.closing.Do(func() {
		q.stop()
		close(q.ended)
		q.done.Wait()
		err = q.release()
		q.packer.close()
	})
	return err
}

// Stuck returns a channel that is closed where JetStream in this process hangs and can't be ended. Everything that was put is on
// disk, and nothing more can be, until another process opens the queue: this one should end.
func (q *Queue) Stuck() <-chan struct{} { return q.stuck }

// release lets go of JetStream.
func (q *Queue) release() error {
	q.mu.Lock()
	l := q.link
	q.link, q.failure = nil, errors.New("it is closed")
	q.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.close()
}

// current returns the connection to JetStream.
func (q *Queue) current() (*link, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.link == nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, q.failure)
	}
	return q.link, nil
}

// unavailable makes an error of a call that failed. A context's end stays what it is.
func unavailable(doing string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, ErrUnavailable), errors.Is(err, ErrKey):
		return err
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return fmt.Errorf("%w: %s: the message is gone: %w", ErrUnavailable, doing, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
}

// ask asks for a look at what seems to be wrong.
func (q *Queue) ask() {
	select {
	case q.hurry <- struct{}{}:
	default:
	}
}

// signal wakes everybody who waits for something to happen.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func newSignal() *signal { return &signal{ch: make(chan struct{})} }

// wait returns a channel that is closed when the signal is given next.
func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ch
}

func (s *signal) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ch)
	s.ch = make(chan struct{})
}
