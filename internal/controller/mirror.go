package controller

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"muster/internal/cursors"
	"muster/internal/report"
)

const (
	// askedAtOnce is how many hosts the database is asked for in one query.
	askedAtOnce = 400
	// patience is how long visits wait at most, from the moment at which channels turn out to be unknown, for the database
	// to answer or to fail.
	patience = 5 * time.Second
	// askFirst is the wait before the database is asked a second time; it is doubled each time up to askMost.
	askFirst = time.Second
	askMost  = 30 * time.Second
)

// copies is what the mirror needs of the database.
type copies interface {
	Cursors(ctx context.Context, channels map[string][]string) (map[string]map[string]report.Cursor, error)
}

// mirror finds out where the reading of logs stands that the table beside the queue does not know, since it is new or was
// lost: the database has a copy of each cursor. It asks for all hosts of the configuration of which some channel is unknown,
// each once. Until it has an answer nothing is asked of these channels.
type mirror struct {
	log     *slog.Logger
	cursors *cursors.Cursors
	wake    chan struct{} // holds a token where there is something to ask

	mu      sync.Mutex
	unknown map[string][]string // channels, by host
	until   time.Time           // when the patience of visits ends
	failed  error               // of the last attempt to ask; nil: it did not fail, or there was none
	told    bool                // that patience has ended
	changed chan struct{}       // closed and replaced when hosts become known, or an attempt fails
}

func newMirror(log *slog.Logger, c *cursors.Cursors) *mirror {
	return &mirror{
		log: log, cursors: c, wake: make(chan struct{}, 1), unknown: make(map[string][]string), changed: make(chan struct{}),
	}
}

// adopt takes over which channels of which hosts the configuration has, and has the database asked for those that are
// unknown.
func (m *mirror) adopt(channels map[string][]string) {
	unknown := make(map[string][]string)
	for host, configured := range channels {
		if of := m.cursors.Unknown(host, configured); len(of) > 0 {
			unknown[host] = of
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unknown = unknown
	if len(unknown) == 0 {
		return
	}
	m.until, m.told = time.Now().Add(patience), false
	m.nudge()
}

// nudge has the database asked soon.
func (m *mirror) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// state returns of how many hosts channels are unknown, and why the database could not be asked; nil: nothing is known to
// keep it from answering.
func (m *mirror) state() (hosts int, reason error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.unknown), m.failed
}

// await returns when all channels of a host are known, an attempt to ask has failed, the visits' patience is over, or ctx
// ends. So the first visits wait for a database that is just being opened, and none waits for one that is away.
func (m *mirror) await(ctx context.Context, host string) {
	for {
		m.mu.Lock()
		_, unknown := m.unknown[host]
		wait, failed, changed := time.Until(m.until), m.failed, m.changed
		if unknown && failed == nil && wait <= 0 && !m.told {
			m.told = true
			m.log.WarnContext(ctx, "the database does not answer: logs of which it has to say where they stand are not read until it does",
				"hosts", len(m.unknown))
		}
		m.mu.Unlock()
		if !unknown || failed != nil || wait <= 0 {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// run asks the database whenever there is something to ask, and again while it can't be asked, until ctx ends. open returns
// the database, which it opens when it can.
func (m *mirror) run(ctx context.Context, open func(context.Context) (copies, error)) {
	m.nudge() // for what another run left
	for wait := askFirst; ; {
		select {
		case <-m.wake:
		case <-ctx.Done():
			return
		}
		err := m.ask(ctx, open)
		if err == nil {
			wait = askFirst
			continue
		}
		if ctx.Err() != nil {
			return
		}
		m.fail(ctx, err, wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		wait = min(2*wait, askMost)
		m.nudge()
	}
}

// fail notes that the database could not be asked.
func (m *mirror) fail(ctx context.Context, err error, retry time.Duration) {
	m.mu.Lock()
	m.failed = err
	hosts := len(m.unknown)
	m.change()
	m.mu.Unlock()
	m.log.WarnContext(ctx, "logs are not read until the database has said where their reading stands: it can't be asked",
		"hosts", hosts, "err", err, "retry", retry)
}

// change wakes those who wait. mu is held.
func (m *mirror) change() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// ask asks for all that is unknown. The error is that of the database.
func (m *mirror) ask(ctx context.Context, open func(context.Context) (copies, error)) error {
	hosts, taken := 0, 0
	for {
		some := m.some()
		if len(some) == 0 {
			break
		}
		database, err := open(ctx)
		if err != nil {
			return err
		}
		stored, err := database.Cursors(ctx, some)
		if err != nil {
			return err
		}
		hosts += len(some)
		taken += m.learn(ctx, some, stored)
	}
	m.mu.Lock()
	failed := m.failed
	m.failed = nil
	m.mu.Unlock()
	if taken > 0 || failed != nil && hosts > 0 {
		m.log.InfoContext(ctx, "the database has said where the reading of logs stands that the data directory does not know",
			"hosts", hosts, "channels", taken)
	}
	return nil
}

// some returns hosts of which channels are unknown, as many as are asked for at once.
func (m *mirror) some() map[string][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	some := make(map[string][]string, min(len(m.unknown), askedAtOnce))
	for host, channels := range m.unknown {
		if len(some) == askedAtOnce {
			break
		}
		some[host] = channels
	}
	return some
}

// learn takes up what the database says of hosts, and returns how many channels go on there.
func (m *mirror) learn(ctx context.Context, asked map[string][]string, stored map[string]map[string]report.Cursor) (taken int) {
	for host, channels := range asked {
		n, err := m.cursors.TakeUp(host, channels, stored[host])
		if err != nil {
			m.log.ErrorContext(ctx, "the database's table cursors is damaged: logs are read as on a first visit", "host", host, "err", err)
		}
		taken += n
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for host := range asked {
		if len(m.cursors.Unknown(host, m.unknown[host])) == 0 { // another configuration may have others by now
			delete(m.unknown, host)
		}
	}
	m.change()
	return taken
}
