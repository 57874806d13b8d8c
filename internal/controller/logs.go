package controller

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"muster/internal/config"
	"muster/internal/cursors"
	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/report"
	"muster/internal/visit"
)

const (
	// pauseAt and resumeAt are the shares of the queue, in percent, from which on no logs are asked for, and below which they
	// are again: they can wait on their hosts, and reports can't.
	pauseAt, resumeAt = 75, 70
	// toldGaps is how many gaps of a channel are logged of one part: a host may make up as many as a report can have.
	toldGaps = 5
)

// logbook brings log records from the visits into the queue, and moves the cursors.
type logbook struct {
	log     *slog.Logger
	mirror  *mirror
	cursors *cursors.Cursors // that the mirror fills where they are unknown
	keeper  *keeper
	usage   func() float64 // of the queue, in percent
	places  *places

	records atomic.Uint64 // that were kept since the start

	mu     sync.Mutex
	paused bool
}

// newLogbook returns a logbook for so many parallel visits.
func newLogbook(log *slog.Logger, m *mirror, k *keeper, usage func() float64, parallel int) *logbook {
	return &logbook{log: log, mirror: m, cursors: m.cursors, keeper: k, usage: usage, places: newPlaces(parallel)}
}

// isPaused tells whether no logs are to be asked for since the queue is filling up.
func (b *logbook) isPaused() bool {
	usage := b.usage()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.paused && usage > pauseAt:
		b.paused = true
		b.log.Warn("logs are not read for now: the queue is filling up, and they can wait on their hosts", "queue_usage", usage)
	case b.paused && usage < resumeAt:
		b.paused = false
		b.log.Info("logs are read again")
	}
	return b.paused
}

// adopt takes over the channels and the bounds of a configuration.
func (b *logbook) adopt(ctx context.Context, c *config.Config) {
	b.places.bound(c.Server.Parallel)
	channels := make(map[string][]string, len(c.Hosts))
	for i := range c.Hosts {
		for j := range c.Hosts[i].Logs {
			channels[c.Hosts[i].Name] = append(channels[c.Hosts[i].Name], c.Hosts[i].Logs[j].Channel)
		}
	}
	b.places.adopt(func(host string) bool { return len(channels[host]) > 0 })
	if err := b.cursors.Adopt(ctx, channels); err != nil {
		b.log.WarnContext(ctx, "which logs are no longer read is not on disk: it is noted at the next start or reload", "err", err)
	}
	b.mirror.adopt(channels)
}

// await returns when it is known where the logs of a host are to go on, or when that is not worth waiting for: then some
// of them wait on their host.
func (b *logbook) await(ctx context.Context, host *config.Host) {
	if b != nil && len(host.Logs) > 0 {
		b.mirror.await(ctx, host.Name)
	}
}

// hostLogs is what a visit knows of a host's logs. It is a visit.Logs.
type hostLogs struct {
	*logbook
	host   *config.Host
	groups string
	way    []*gate // that others wait at while the visit goes on; it does not where somebody does

	asked  bool // whether it asked for a place
	parts  int  // for how many parts it had one
	behind bool // whether it has more to read
}

// of returns the logs of a host, for one visit, which ends with ended; nil: it has none.
func (b *logbook) of(host *config.Host, way ...*gate) *hostLogs {
	if b == nil || len(host.Logs) == 0 {
		return nil
	}
	return &hostLogs{logbook: b, host: host, groups: strings.Join(host.Groups, "/"), way: way}
}

// Requests returns what is to be asked of the host now: nothing of channels of which nobody knows yet where they stand. See
// visit.Logs.
func (h *hostLogs) Requests() []report.LogRequest {
	if h.isPaused() {
		return nil
	}
	return h.cursors.Requests(h.host.Name, wanted(h.host))
}

// wanted returns what the configuration wants of a host's logs.
func wanted(host *config.Host) []report.LogRequest {
	requests := make([]report.LogRequest, len(host.Logs))
	for i := range host.Logs {
		l := &host.Logs[i]
		requests[i] = report.LogRequest{
			Channel: l.Channel, Filter: l.Filter, Raw: l.Raw, Messages: l.Messages, Since: l.Since,
		}
	}
	return requests
}

// Continue takes a place among the visits that may go on, unless others wait for the host's to end. See visit.Logs.
func (h *hostLogs) Continue() (release func(), ok bool) {
	for _, g := range h.way {
		if g.isAwaited() {
			return nil, false
		}
	}
	h.asked = true
	if !h.places.take(h.host.Name, h.parts > 0) {
		return nil, false
	}
	h.parts++
	return h.places.give, true
}

// ended notes that the visit has ended.
func (h *hostLogs) ended() {
	if h != nil {
		h.places.ended(h.host.Name, h.asked, h.parts, h.behind)
	}
}

// Keep puts what a part brought into the queue and moves the cursors. See visit.Logs.
func (h *hostLogs) Keep(ctx context.Context, p *visit.Part) error {
	if err := h.cursors.Reserve(ctx, p.Host, p.Answers); err != nil {
		return err
	}
	kept := entry.Logs{
		Visit: p.Visit, Part: p.Number, Sweep: p.Sweep, Host: p.Host, Groups: h.groups, Read: p.Read,
	}
	records := 0
	h.behind = false
	for _, l := range p.Answers {
		h.behind = h.behind || l.More
		if len(l.Records) > 0 || len(l.Gaps) > 0 || l.Begun != "" {
			kept.Channels = append(kept.Channels, l)
			records += len(l.Records)
		}
	}
	if len(kept.Channels) > 0 {
		if err := h.keeper.logs(ctx, &kept); err != nil {
			return err
		}
	}
	h.records.Add(uint64(records))
	before := h.cursors.Known(p.Host)
	if err := h.cursors.Move(ctx, p.Host, p.Answers); err != nil {
		h.log.ErrorContext(ctx, "the cursors of a host are not on disk", "host", p.Host, "visit", p.Visit, "err", err)
	}
	for i := range p.Answers {
		h.tell(ctx, p, &p.Answers[i], before[p.Answers[i].Channel])
	}
	return nil
}

// tell logs what a person should know of how a channel was read, of which so much was known before.
func (h *hostLogs) tell(ctx context.Context, p *visit.Part, l *report.Logs, before cursors.Known) {
	log := h.log.With("host", p.Host, "visit", p.Visit, "channel", l.Channel)
	if l.Begun != "" {
		level := slog.LevelWarn
		if before.Epoch == 0 || l.Channel == report.Journal || // of which several are read in turn
			strings.HasPrefix(l.Channel, report.FileChannel) { // a file is rotated as a matter of course
			level = slog.LevelInfo
		}
		log.Log(ctx, level, "an epoch of a log began: its records are numbered anew", "epoch", l.Epoch, "why", l.Why)
	}
	for _, g := range l.Gaps[:min(len(l.Gaps), toldGaps)] {
		log.WarnContext(ctx, "log records were gone before they were read", "epoch", g.Epoch, "first", g.First, "last", g.Last,
			"possible", g.Possible, "why", g.Reason)
	}
	if further := len(l.Gaps) - toldGaps; further > 0 {
		log.WarnContext(ctx, "further log records were gone before they were read: muster logs shows them", "gaps", further)
	}
	switch {
	case l.Trouble != nil && l.Trouble.Kind != before.Trouble:
		log.WarnContext(ctx, "a log can't be read", "kind", string(l.Trouble.Kind), "err", report.Visible(l.Trouble.Text, report.MaxReason),
			"advice", visit.LogAdvice(l.Channel, l.Trouble.Kind))
	case l.Trouble == nil && before.Trouble != "":
		log.InfoContext(ctx, "a log can be read again")
	}
}

// logs returns when log records are on disk. What is too large for the queue's servers goes there in halves.
func (k *keeper) logs(ctx context.Context, l *entry.Logs) error {
	data, err := entry.EncodeLogs(l)
	if err != nil {
		return err
	}
	err = k.queue.Put(ctx, queue.Entry{Kind: entry.KindLogs, ID: l.Host + " " + l.Visit, Data: data})
	if !errors.Is(err, queue.ErrTooLarge) {
		return err
	}
	early, late, ok := halve(l)
	if !ok {
		return err
	}
	if err := k.logs(ctx, early); err != nil {
		return err
	}
	return k.logs(ctx, late)
}

// halve returns the first half of the records, and the second with the gaps and with the cursors, which are not to be ahead
// of any record; false where there are not two records.
func halve(l *entry.Logs) (early, late *entry.Logs, ok bool) {
	total := 0
	for i := range l.Channels {
		total += len(l.Channels[i].Records)
	}
	if total < 2 {
		return nil, nil, false
	}
	first, second := *l, *l
	first.Channels, second.Channels = nil, nil
	left := total / 2 // of the first half
	for _, c := range l.Channels {
		n := min(left, len(c.Records))
		left -= n
		head, tail := c, c
		head.Records, tail.Records = c.Records[:n], c.Records[n:]
		head.Gaps, head.Next = nil, report.Cursor{}
		if n > 0 {
			first.Channels = append(first.Channels, head)
		}
		second.Channels = append(second.Channels, tail)
	}
	return &first, &second, true
}

// furtherFor returns for how long a visit that begins now may go on for the sake of the logs: until most of the time is over
// before the host's next turn, so that it is not busy then.
func furtherFor(turn, now time.Time, interval time.Duration) time.Duration {
	return max(turn.Add(interval-interval/8).Sub(now), time.Nanosecond)
}
