package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"time"

	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/health"
	"muster/internal/mail"
	"muster/internal/outbox"
	"muster/internal/queue"
	"muster/internal/recorder"
	"muster/internal/store"
	"muster/internal/watch"
)

// The readers of the queue.
const (
	storeReader = "store"
	alertReader = "alert"
)

// The tables beside it.
const (
	alertTable = "alerts"
	mailTable  = "mails"
)

// pipeline is everything that comes after a visit: the queue, and those who work on what is in it.
type pipeline struct {
	config   *config.Config
	log      *slog.Logger
	now      func() time.Time
	queue    *queue.Queue
	recorder *recorder.Recorder
	watch    *watch.Watch
	outbox   *outbox.Outbox // nil: no mail server
	database *database

	health      *health.Health
	connections func() int // SSH connections that are open; nil: none ever are
}

// newPipeline opens the queue and takes up alerts and mails where they stood. It does not wait for the database. The
// caller closes the result, also beside an error.
func newPipeline(ctx context.Context, o Options) (*pipeline, error) {
	p := &pipeline{config: o.Config, log: o.Logger, now: o.Now}
	var err error
	if p.database, err = newDatabase(o); err != nil {
		return p, err
	}
	if p.queue, err = OpenQueue(ctx, o.Config, o.Logger, o.Now); err != nil {
		return p, err
	}
	return p, p.openReaders(ctx)
}

// Close releases the queue and the database, after those who work on them have stopped.
func (p *pipeline) Close() error {
	var errs []error
	if p.database != nil {
		errs = append(errs, p.database.Close())
	}
	if p.queue != nil {
		errs = append(errs, p.queue.Close())
	}
	return errors.Join(errs...)
}

// queueFolder is where the queue is that runs in this process.
func queueFolder(c *config.Config) string { return filepath.Join(c.Server.Data, "queue") }

// OpenQueue opens the queue that the configuration names. The caller holds the lock of the data directory, and closes
// the queue. The error wraps ErrUnusable.
func OpenQueue(ctx context.Context, c *config.Config, log *slog.Logger, now func() time.Time) (*queue.Queue, error) {
	q, err := queue.Open(ctx, queueOptions(c, log, now))
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("queue %w: %w", ErrUnusable, err)
	}
	return q, err
}

// queueOptions are what the configuration says of the queue.
func queueOptions(c *config.Config, log *slog.Logger, now func() time.Time) queue.Options {
	o := queue.Options{
		Folder: queueFolder(c), Size: c.Queue.Size, Age: c.Queue.Age,
		Readers: []string{storeReader, alertReader}, Logger: log, Now: now,
	}
	if len(c.Queue.URLs) > 0 {
		o.Cluster = &queue.Cluster{
			URLs: c.Queue.URLs, Username: c.Queue.Username, Password: c.Queue.Password.Reveal(),
			Credentials: c.Queue.Credentials, CA: c.Queue.CA, Replicas: c.Queue.Replicas,
		}
	}
	return o
}

// openReaders makes those who work on what is in the queue.
func (p *pipeline) openReaders(ctx context.Context) error {
	stored, err := p.queue.Reader(storeReader)
	if err != nil {
		return err
	}
	judged, err := p.queue.Reader(alertReader)
	if err != nil {
		return err
	}
	p.recorder = recorder.New(recorder.Options{
		Open:   func(ctx context.Context) (recorder.Store, error) { return p.database.get(ctx) },
		Reader: stored, Dead: p.queue, Logger: p.log, Now: p.now,
	})
	o := watch.Options{
		Hosts: p.config.Hosts, Reader: judged, Table: p.queue.Table(alertTable), Logger: p.log, Now: p.now,
	}
	if p.config.Mail != nil {
		if p.outbox, err = newOutbox(ctx, p.config.Mail, p.queue.Table(mailTable), p.log, p.now); err != nil {
			return err
		}
		o.Letters, o.Others = p.outbox, p.config.Mail.To
	}
	if p.watch, err = watch.New(ctx, o); err != nil {
		return fmt.Errorf("queue %w: %w", ErrUnusable, err)
	}
	return nil
}

func newOutbox(ctx context.Context, m *config.Mail, table *queue.Table, log *slog.Logger, now func() time.Time) (*outbox.Outbox, error) {
	sender, err := newSender(m)
	if err != nil {
		return nil, fmt.Errorf("mail server %w: %w", ErrUnusable, err)
	}
	o, err := outbox.New(ctx, outbox.Options{Table: table, Sender: sender, Logger: log, Now: now})
	if err != nil {
		return nil, fmt.Errorf("queue %w: %w", ErrUnusable, err)
	}
	return o, nil
}

func newSender(m *config.Mail) (*mail.Sender, error) {
	return mail.New(mail.Server{
		Host: m.Host, Port: m.Port, Security: m.Security, Username: m.Username, Password: m.Password.Reveal(),
		From: m.From, CA: m.CA, Timeout: m.Timeout,
	})
}

// start starts those who work on what is in the queue, and returns what ends them and waits for them.
func (p *pipeline) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { p.recorder.Run(ctx) })
	working.Go(func() { p.watch.Run(ctx) })
	working.Go(func() {
		p.watch.Project(ctx, func(ctx context.Context) (watch.Projection, error) { return p.database.get(ctx) })
	})
	working.Go(func() { p.prune(ctx) })
	if p.outbox != nil {
		working.Go(func() { p.outbox.Run(ctx) })
	}
	return func() {
		cancel()
		working.Wait()
	}
}

// settle returns when what was put into the queue is stored, judged and mailed, or ctx ends. The error says what is not,
// and why: it will be, by this process or another.
func (p *pipeline) settle(ctx context.Context) error {
	var stored, mailed error
	var settling sync.WaitGroup
	settling.Go(func() {
		if stored = p.recorder.Settle(ctx); stored != nil {
			stored = fmt.Errorf("database %w: reports wait in the queue until it is available again: %w", ErrUnusable, stored)
		}
	})
	if mailed = p.watch.Settle(ctx); mailed != nil {
		mailed = fmt.Errorf("queue %w: limits are not judged yet: %w", ErrUnusable, mailed)
	} else if p.outbox != nil {
		if mailed = p.outbox.Flush(ctx); mailed != nil {
			mailed = fmt.Errorf("mail server %w: %w", ErrUnusable, mailed)
		}
	}
	settling.Wait()
	if stored == nil {
		if err := p.watch.Projected(ctx); err != nil {
			stored = fmt.Errorf("database %w: alerts are not in it yet: %w", ErrUnusable, err)
		}
	}
	return errors.Join(stored, mailed)
}

// settleBriefly returns when what was put into the queue is stored and judged, or ctx ends, which is no loss.
func (p *pipeline) settleBriefly(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	if err := errors.Join(p.recorder.Settle(ctx), p.watch.Settle(ctx)); err != nil {
		p.log.InfoContext(ctx, "what is not stored yet waits in the queue for the next start", "err", err)
	}
}

// counts returns what a sweep came to.
func (p *pipeline) counts(sweep time.Time) watch.Counts { return p.watch.Counts(sweep) }

// checkMail logs whether the mail server can be used. Nothing is sent.
func (p *pipeline) checkMail(ctx context.Context) {
	if p.outbox == nil {
		p.log.InfoContext(ctx, "no mail server is configured: alerts are logged and stored")
		return
	}
	err := p.outbox.Check(ctx)
	if ctx.Err() != nil {
		return // the server is being stopped, which says nothing of the mail server
	}
	if err != nil {
		p.log.ErrorContext(ctx, "mail server is not available: mails wait in the queue", "err", err)
		return
	}
	p.log.InfoContext(ctx, "mail server is available")
}

// pruneEvery is how often history that is too old is deleted.
const pruneEvery = time.Hour

// prune deletes history that is older than the configuration wants it kept, until ctx ends.
func (p *pipeline) prune(ctx context.Context) {
	keep := p.config.Database.Keep
	if keep == 0 {
		return
	}
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		p.pruneOnce(ctx, p.now().Add(-keep))
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *pipeline) pruneOnce(ctx context.Context, before time.Time) {
	s, err := p.database.get(ctx)
	if err != nil {
		return // the recorder says so, and the next time comes
	}
	pruned, err := s.Prune(ctx, before)
	if err != nil && ctx.Err() == nil {
		p.log.WarnContext(ctx, "history is not deleted: it is tried again in an hour", "before", before, "err", err)
		return
	}
	p.log.InfoContext(ctx, "history is deleted", "before", before, "statistics", pruned.Statistics, "visits", pruned.Visits)
}

// database is the database, which is opened when it is first needed and can be.
type database struct {
	options store.Options
	hosts   []string // of the configuration; others in the database are marked as removed
	now     func() time.Time
	log     *slog.Logger
	turn    chan struct{} // holds a token while somebody opens

	mu    sync.Mutex
	store *store.Store
}

// newDatabase checks what can be without the database.
func newDatabase(o Options) (*database, error) {
	c := o.Config.Database
	if err := store.CheckURL(c.URL); err != nil {
		return nil, fmt.Errorf("%w: database: %w", ErrConfiguration, err)
	}
	d := &database{
		options: store.Options{URL: c.URL, Password: c.Password.Reveal(), Logger: o.Logger},
		now:     o.Now,
		log:     o.Logger,
		turn:    make(chan struct{}, 1),
	}
	for i := range o.Config.Hosts {
		d.hosts = append(d.hosts, o.Config.Hosts[i].Name)
	}
	return d, nil
}

// get returns the store, which it opens if nobody has. The store is closed with the database.
func (d *database) get(ctx context.Context) (*store.Store, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	opened := d.store
	d.mu.Unlock()
	if opened != nil {
		return opened, nil
	}
	opened, err := store.Open(ctx, d.options)
	if err != nil {
		return nil, err
	}
	if err := opened.SetHosts(ctx, d.hosts, d.now()); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	d.log.InfoContext(ctx, "database is available", "database", opened.String())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.store = opened
	return opened, nil
}

// Close closes the store, if it was opened.
func (d *database) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store == nil {
		return nil
	}
	return d.store.Close()
}

// ErrConfiguration is in the chain of errors that say that the configuration can't be meant so, though it could be read.
var ErrConfiguration = errors.New("configuration")

// ReadStore opens the database that the configuration names for reading, and leaves it as it is. The error wraps
// ErrConfiguration, or ErrUnusable, which is also that of a database that is not there yet, or is ctx's. The caller closes
// the store.
func ReadStore(ctx context.Context, c config.Database, log *slog.Logger) (*store.Store, error) {
	opened, err := store.Open(ctx, store.Options{URL: c.URL, Password: c.Password.Reveal(), Logger: log, AsIs: true})
	switch {
	case errors.Is(err, store.ErrURL):
		return nil, fmt.Errorf("%w: database: %w", ErrConfiguration, err)
	case err != nil && ctx.Err() != nil:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("database %w: %w", ErrUnusable, err)
	}
	if v := opened.Version(); v.Now != v.Program {
		err := fmt.Errorf("database %w: %s has version %d, this program needs %d: muster run and muster serve see to that, or muster db migrate",
			ErrUnusable, opened, v.Now, v.Program)
		return nil, errors.Join(err, opened.Close())
	}
	return opened, nil
}

// conditions returns how the server itself is, after a sweep of whose visits so many could not be kept.
func (p *pipeline) conditions(unkept int, reason error) []entry.Condition {
	away := p.recorder.State()
	q := p.queue.State()
	database := entry.Condition{Name: watch.DatabaseAway, Unit: "s"}
	if !away.Away.IsZero() {
		database.Value = math.Max(0, p.now().Sub(away.Away).Seconds())
		database.Text = fmt.Sprintf("%v; reports wait in the queue", away.Reason)
	}
	usage := entry.Condition{Name: watch.QueueUsage, Unit: "%", Text: "beyond 100 % new reports are refused"}
	if q.Size > 0 {
		usage.Value = 100 * float64(q.Bytes) / float64(q.Size)
	}
	refused := entry.Condition{Name: watch.ReportsRefused, Unit: "1", Value: float64(unkept)}
	if reason != nil {
		refused.Text = fmt.Sprintf("reports of this sweep are lost: %v", reason)
	}
	dead := entry.Condition{
		Name: watch.DeadLetters, Unit: "1", Value: float64(q.Dead),
		Text: "reports that can't be stored: see muster status, and muster queue retry",
	}
	return []entry.Condition{database, usage, refused, dead}
}
