package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"muster/internal/alert"
	"muster/internal/config"
	"muster/internal/mail"
	"muster/internal/store"
	"muster/internal/visit"
)

// alerts is what the watch needs of the store.
type alerts interface {
	Alerts(ctx context.Context) ([]store.Alert, error)
	SaveAlerts(ctx context.Context, alerts []store.Alert) error
}

// sender is what the watch needs of the mail server.
type sender interface {
	Send(ctx context.Context, messages ...mail.Message) error
	Check(ctx context.Context) error
}

// watch is the observer that evaluates the limits of each visit and, when the sweep ends, stores the alerts and sends
// one mail to each receiver who has news.
//
// With each alert goes the phase that its receivers were told of last. It is stored before the mail and after it: a mail
// that could not be sent is news still at the end of the next sweep, of this process or another, and a process that is
// killed between the two sends that one mail again, with the same Message-ID.
type watch struct {
	store   alerts
	sender  sender // nil: no mail server, alerts are logged and stored
	log     *slog.Logger
	now     func() time.Time
	watched map[string]watched // by host
	others  []string           // who is told of hosts that the configuration no longer has

	turn chan struct{} // holds a token while a sweep stores and mails: one at a time

	mu       sync.Mutex
	open     map[string][]alert.Alert // by host: pending and firing
	over     map[string]alert.Alert   // by id: resolved, and that is news
	told     map[string]alert.Phase   // by id: what receivers were told last
	accepted map[delivery][]string    // receivers who were told, where others still are to be
	dirty    map[string]alert.Alert   // by id: not stored yet as it is
	sweeps   map[time.Time]*counts
}

// saveFirst bounds how long the mail waits for the alerts to be stored.
const saveFirst = 5 * time.Second

// watched is what the configuration says of a host.
type watched struct {
	limits    []alert.Limit
	groups    string
	receivers []string
}

// counts is what a sweep came to.
type counts struct{ failed, raised, ended int }

type watchOptions struct {
	Config *config.Config
	Store  alerts
	Sender sender // nil: none
	Logger *slog.Logger
	Now    func() time.Time
}

// newWatch takes up the alerts as they were stored. Those of hosts that the configuration no longer has are over.
func newWatch(ctx context.Context, o watchOptions) (*watch, error) {
	w := &watch{
		store:   o.Store,
		sender:  o.Sender,
		log:     o.Logger,
		now:     o.Now,
		watched: make(map[string]watched, len(o.Config.Hosts)),
		turn:    make(chan struct{}, 1),

		open:     make(map[string][]alert.Alert),
		over:     make(map[string]alert.Alert),
		told:     make(map[string]alert.Phase),
		accepted: make(map[delivery][]string),
		dirty:    make(map[string]alert.Alert),
		sweeps:   make(map[time.Time]*counts),
	}
	if o.Config.Mail != nil {
		w.others = o.Config.Mail.To
	}
	for _, h := range o.Config.Hosts {
		w.watched[h.Name] = watched{
			limits:    limitsOf(h.Limits),
			groups:    strings.Join(h.Groups, "/"),
			receivers: h.Mail,
		}
	}
	stored, err := o.Store.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	var orphans []alert.Alert
	for _, s := range stored {
		a := fromStore(s)
		w.told[a.ID] = alert.Phase(s.Notified)
		switch _, known := w.watched[a.Host]; {
		case a.Phase == alert.Resolved:
			w.over[a.ID] = a
		case known:
			w.open[a.Host] = append(w.open[a.Host], a)
		default:
			orphans = append(orphans, a)
		}
	}
	forgotten, _ := alert.Forget(orphans, o.Now())
	for _, a := range forgotten {
		w.keep(a)
	}
	return w, nil
}

func limitsOf(configured []config.Limit) []alert.Limit {
	limits := make([]alert.Limit, len(configured))
	for i, l := range configured {
		limits[i] = alert.Limit(l)
	}
	return limits
}

func (w *watch) SweepStarted(_ context.Context, s visit.Sweep) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sweeps[s.Time] = &counts{}
}

// Visited evaluates the limits of the visited host. Visits that say nothing of the host are passed over.
func (w *watch) Visited(ctx context.Context, v *visit.Visit) {
	if saysNothing(v) {
		return
	}
	observation := alert.Observation{Host: v.Host}
	if v.Failure != nil {
		observation.Failed = true
		observation.Text = fmt.Sprintf("%s: %v; %s", v.Failure.Stage, v.Failure.Err, v.Failure.Help())
	} else {
		observation.Statistics = v.Report.Statistics
		observation.Incomplete = len(v.Report.Failures) > 0
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	next, notices := alert.Evaluate(w.watched[v.Host].limits, w.open[v.Host], observation, v.Started)
	delete(w.open, v.Host)
	for _, a := range next {
		w.keep(a)
	}
	c := w.sweeps[v.Sweep]
	if c != nil && observation.Failed {
		c.failed++
	}
	for _, n := range notices {
		raised := n.Alert.Phase == alert.Firing
		switch {
		case c != nil && raised:
			c.raised++
		case c != nil:
			c.ended++
		}
		w.announce(ctx, n.Alert, raised)
	}
}

// keep files an alert by its phase. mu is held, or w is not shared yet.
func (w *watch) keep(a alert.Alert) {
	w.dirty[a.ID] = a
	switch {
	case a.Phase != alert.Resolved:
		w.open[a.Host] = append(w.open[a.Host], a)
	case a.Raised.IsZero():
		delete(w.told, a.ID) // nobody was told, and nobody need be
	default:
		w.over[a.ID] = a
	}
}

func (w *watch) announce(ctx context.Context, a alert.Alert, raised bool) {
	log := w.log.With("host", a.Host, "statistic", a.Statistic, "instance", a.Instance, "value", a.Value,
		"limit", a.Limit, "since", a.Since, "text", a.Text)
	if raised {
		log.WarnContext(ctx, "alert")
	} else {
		log.InfoContext(ctx, "alert is over")
	}
}

// SweepEnded stores the alerts and mails the news. Alerts that could not be stored, and news that could not be mailed,
// wait for the next sweep. A database that does not answer takes little of the time that the mail has.
func (w *watch) SweepEnded(ctx context.Context, s visit.Sweep) error {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return fmt.Errorf("the mails of an earlier sweep are still being sent: what is new is mailed with those of the next: %w", ctx.Err())
	}
	brief, cancel := context.WithTimeout(ctx, saveFirst)
	before := w.save(brief)
	cancel()
	var sent error
	if letters := w.news(s, w.now()); len(letters) > 0 {
		var told []alert.Alert
		told, sent = w.send(ctx, letters)
		w.mu.Lock()
		for _, a := range told {
			w.settle(a)
		}
		w.mu.Unlock()
	}
	if before != nil && errors.Is(before, store.ErrUnavailable) {
		return errors.Join(before, sent) // it would not be different now
	}
	return errors.Join(sent, w.save(ctx))
}

// save stores what is not stored yet.
func (w *watch) save(ctx context.Context) error {
	w.mu.Lock()
	rows := make([]store.Alert, 0, len(w.dirty))
	saved := make([]alert.Alert, 0, len(w.dirty))
	for _, a := range w.dirty {
		rows = append(rows, toStore(a, w.told[a.ID]))
		saved = append(saved, a)
	}
	w.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	if err := w.store.SaveAlerts(ctx, rows); err != nil {
		return fmt.Errorf("database %w: %d alerts are not stored yet: %w", ErrUnusable, len(rows), err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, a := range saved {
		// What changed meanwhile is stored next time.
		if w.dirty[a.ID] == a && rows[i].Notified == string(w.told[a.ID]) {
			delete(w.dirty, a.ID)
		}
		if _, waits := w.over[a.ID]; a.Phase == alert.Resolved && !waits {
			delete(w.told, a.ID)
		}
	}
	return nil
}

// Counts returns what a sweep came to, and forgets it; firing is how many alerts hold now.
func (w *watch) Counts(sweep time.Time) (raised, ended, firing int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.sweeps[sweep]; c != nil {
		raised, ended = c.raised, c.ended
		delete(w.sweeps, sweep)
	}
	for _, open := range w.open {
		for _, a := range open {
			if a.Phase == alert.Firing {
				firing++
			}
		}
	}
	return raised, ended, firing
}

// Check logs whether the mail server can be used. Nothing is sent.
func (w *watch) Check(ctx context.Context) {
	if w.sender == nil {
		w.log.InfoContext(ctx, "no mail server is configured: alerts are logged and stored")
		return
	}
	if err := w.sender.Check(ctx); err != nil {
		w.log.ErrorContext(ctx, "mail server is not available", "err", err)
		return
	}
	w.log.InfoContext(ctx, "mail server is available")
}

func toStore(a alert.Alert, told alert.Phase) store.Alert {
	return store.Alert{
		ID: a.ID, Host: a.Host, Statistic: a.Statistic, Instance: a.Instance, Direction: string(a.Direction),
		Unit: a.Unit, Limit: a.Limit, State: string(a.Phase), Since: a.Since, Raised: a.Raised, Ended: a.Ended,
		Value: a.Value, Text: a.Text, Updated: a.Updated, Notified: string(told),
	}
}

func fromStore(s store.Alert) alert.Alert {
	return alert.Alert{
		ID: s.ID, Host: s.Host, Statistic: s.Statistic, Instance: s.Instance, Direction: alert.Direction(s.Direction),
		Unit: s.Unit, Limit: s.Limit, Phase: alert.Phase(s.State), Since: s.Since, Raised: s.Raised, Ended: s.Ended,
		Value: s.Value, Text: s.Text, Updated: s.Updated,
	}
}
