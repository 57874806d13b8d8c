package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"muster/internal/config"
	"muster/internal/cursors"
	"muster/internal/entry"
	"muster/internal/health"
	"muster/internal/outbox"
	"muster/internal/passwords"
	"muster/internal/queue"
	"muster/internal/recorder"
	"muster/internal/watch"
)

// The readers of the queue.
const (
	storeReader = "store"
	alertReader = "alert"
)

// The tables beside it.
const (
	alertTable    = "alerts"
	mailTable     = "mails"
	passwordTable = "passwords"
	cursorTable   = "logs"
)

// pipeline is everything that comes after a visit: the queue, and those who work on what is in it.
type pipeline struct {
	log      *slog.Logger
	now      func() time.Time
	queue    *queue.Queue
	recorder *recorder.Recorder
	watch    *watch.Watch
	guard    *passwords.Guard
	cursors  *cursors.Cursors
	mirror   *mirror
	parts    atomic.Pointer[parts] // that another configuration replaces

	judge, writers, postman *crew // nil: not at work

	health      *health.Health
	connections func() int            // SSH connections that are open; nil: none ever are
	due         func(hosts ...string) // has hosts that failed visited in the next sweep; nil: all are
	logs        *logbook              // nil: nobody reads logs
}

// parts is what a configuration names. It is replaced as a whole.
type parts struct {
	config   *config.Config
	database *database
	outbox   *outbox.Outbox // nil: no mail server
	sender   *sender        // of the outbox
}

// newPipeline opens the queue and takes up alerts and mails where they stood. It does not wait for the database. The
// caller closes the result, also beside an error.
func newPipeline(ctx context.Context, o Options) (*pipeline, error) {
	p := &pipeline{log: o.Logger, now: o.Now}
	now := &parts{config: o.Config}
	p.parts.Store(now)
	var err error
	if now.database, err = newDatabase(o.Config, o.Logger, o.Now); err != nil {
		return p, err
	}
	if p.queue, err = OpenQueue(ctx, o.Config, o.Logger, o.Now); err != nil {
		return p, err
	}
	if p.guard, err = openGuard(ctx, p.queue, o.Config, o.Logger, o.Now); err != nil {
		return p, err
	}
	if p.cursors, err = cursors.New(ctx, p.queue.Table(cursorTable), o.Now); err != nil {
		return p, fmt.Errorf("queue %w: %w", ErrUnusable, err)
	}
	p.mirror = newMirror(o.Logger, p.cursors)
	return p, p.openReaders(ctx)
}

// openGuard reads which passwords were refused. The error wraps ErrUnusable.
func openGuard(ctx context.Context, q *queue.Queue, c *config.Config, log *slog.Logger, now func() time.Time) (*passwords.Guard, error) {
	guard, err := passwords.New(ctx, passwords.Options{Table: q.Table(passwordTable), Logger: log, Now: now})
	if err != nil {
		return nil, fmt.Errorf("queue %w: %w", ErrUnusable, err)
	}
	guard.SetAccounts(accounts(c.Hosts))
	return guard, nil
}

// Close releases the queue and the database, after those who work on them have stopped.
func (p *pipeline) Close() error {
	var errs []error
	if d := p.parts.Load().database; d != nil {
		errs = append(errs, d.Close())
	}
	if p.queue != nil {
		errs = append(errs, p.queue.Close())
	}
	return errors.Join(errs...)
}

func (p *pipeline) stuck() <-chan struct{} { return p.queue.Stuck() }

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
		Open:   func(ctx context.Context) (recorder.Store, error) { return p.parts.Load().database.get(ctx) },
		Reader: stored, Dead: p.queue, Logger: p.log, Now: p.now,
	})
	now := p.parts.Load()
	if now.config.Mail != nil {
		if now.sender, err = newSender(now.config.Mail); err != nil {
			return err
		}
		if now.outbox, err = p.newOutbox(ctx, now.sender); err != nil {
			return err
		}
	}
	if p.watch, err = watch.New(ctx, watch.Options{
		Settings: settings(now), Reader: judged, Table: p.queue.Table(alertTable), Logger: p.log, Now: p.now,
	}); err != nil {
		return fmt.Errorf("queue %w: %w", ErrUnusable, err)
	}
	return nil
}

// settings are what the watch goes by.
func settings(p *parts) watch.Settings {
	s := watch.Settings{Hosts: p.config.Hosts}
	if p.outbox != nil {
		s.Letters, s.Others = p.outbox, p.config.Mail.To
	}
	return s
}

// start starts those who work on what is in the queue, and returns what ends them and waits for them.
func (p *pipeline) start() (stop func()) {
	p.judge = newCrew(p.watch.Run)
	p.startWriters()
	p.postman = newPostman(p.parts.Load().outbox)
	return func() {
		for _, c := range []*crew{p.judge, p.writers, p.postman} {
			c.cancel()
		}
		for _, c := range []*crew{p.judge, p.writers, p.postman} {
			c.stop()
		}
	}
}

// startWriters starts those who work on the database.
func (p *pipeline) startWriters() {
	now := p.parts.Load()
	p.writers = newCrew(p.recorder.Run, func(ctx context.Context) {
		p.watch.Project(ctx, func(ctx context.Context) (watch.Projection, error) { return now.database.get(ctx) })
	}, func(ctx context.Context) {
		p.mirror.run(ctx, func(ctx context.Context) (copies, error) { return now.database.get(ctx) })
	}, now.database.prune)
}

// newPostman starts who sends what is in the outbox; nobody, where there is none.
func newPostman(o *outbox.Outbox) *crew {
	if o == nil {
		return newCrew()
	}
	return newCrew(o.Run)
}

// crew is goroutines that are stopped together.
type crew struct {
	cancel  context.CancelFunc
	working sync.WaitGroup
}

func newCrew(work ...func(context.Context)) *crew {
	ctx, cancel := context.WithCancel(context.Background())
	c := &crew{cancel: cancel}
	for _, do := range work {
		c.working.Go(func() { do(ctx) })
	}
	return c
}

// stop returns when nobody of the crew works any more.
func (c *crew) stop() {
	c.cancel()
	c.working.Wait()
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
	} else if o := p.parts.Load().outbox; o != nil {
		if mailed = o.Flush(ctx); mailed != nil {
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

// alerts returns how many alerts fire.
func (p *pipeline) alerts() int {
	firing, _ := p.watch.Open()
	return firing
}

// counts returns what a sweep came to.
func (p *pipeline) counts(sweep time.Time) watch.Counts { return p.watch.Counts(sweep) }

// checkMail logs whether the mail server can be used. Nothing is sent.
func (p *pipeline) checkMail(ctx context.Context) {
	o := p.parts.Load().outbox
	if o == nil {
		p.log.InfoContext(ctx, "no mail server is configured: alerts are logged and stored")
		return
	}
	err := o.Check(ctx)
	if ctx.Err() != nil {
		return // the server is being stopped, which says nothing of the mail server
	}
	if err != nil {
		p.log.ErrorContext(ctx, "mail server is not available: mails wait in the queue", "err", err)
		return
	}
	p.log.InfoContext(ctx, "mail server is available")
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
	usage := entry.Condition{
		Name: watch.QueueUsage, Unit: "%", Value: usageOf(q),
		Text: "beyond 75 % no logs are read, beyond 100 % new reports are refused",
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

// usage returns how full the queue is, in percent.
func (p *pipeline) usage() float64 { return usageOf(p.queue.State()) }

func usageOf(s queue.State) float64 {
	if s.Size <= 0 {
		return 0
	}
	return 100 * float64(s.Bytes) / float64(s.Size)
}
