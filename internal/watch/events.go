package watch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"muster/internal/alert"
	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/report"
)

// eventRule is a limit on log records.
type eventRule struct {
	selection
	name   string // of the selection: what tells it from others of the host
	limit  alert.Limit
	above  int
	within time.Duration
}

// learn takes over what the configuration says of a host's log records.
func (h *watched) learn(c *config.Host) {
	for _, l := range c.EventLimits {
		above := float64(l.Above)
		r := eventRule{selection: selectionOf(&l.Records), name: l.Selection(), above: l.Above, within: l.For}
		r.limit = alert.Limit{Statistic: report.LogsMatches, Instance: r.name, Unit: "1", Above: &above, Within: l.For}
		h.events = append(h.events, r)
	}
	for _, m := range c.MailRecords {
		h.records = append(h.records, selectionOf(&m))
	}
}

// looksAt reports whether there is a limit on records of a channel, or a mail of them.
func (h *watched) looksAt(channel string) bool {
	return slices.ContainsFunc(h.events, func(r eventRule) bool { return r.channel == channel }) ||
		slices.ContainsFunc(h.records, func(s selection) bool { return s.channel == channel })
}

// logged counts the log records that an entry brought, and takes up those that are to be mailed. An entry of a host whose
// records nobody asks about is not even read.
func (w *Watch) logged(ctx context.Context, e queue.Entry) {
	name, err := entry.HostOfLogs(e.Data)
	if err != nil || !w.asksAbout(name) {
		return
	}
	l, err := entry.DecodeLogs(e.Data)
	if err != nil {
		return // the recorder reports it
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	host := w.watched[l.Host]
	if !host.asks() || w.state.has(l.Host, e.Number) {
		return
	}
	c := counting{watch: w, host: &host, logs: w.state.logs(l.Host), entry: l, counted: make([][]*report.Record, len(host.events))}
	c.changed = c.logs.keep(&host)
	for i := range l.Channels {
		c.channel(&l.Channels[i])
	}
	notices := c.judge()
	if c.changed {
		w.state.putLogs(l.Host, c.logs)
	}
	if len(notices) > 0 {
		w.note(ctx, notices, l.Sweep, l.Host)
	}
}

// asksAbout reports whether there is a limit on log records of a host, or a mail of them.
func (w *Watch) asksAbout(host string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.watched[host]
	return h.asks()
}

func (h *watched) asks() bool { return len(h.events)+len(h.records) > 0 }

// counting is the work on one entry. The watch's mu is held.
type counting struct {
	watch   *Watch
	host    *watched
	logs    *hostLogs
	entry   *entry.Logs
	changed bool
	counted [][]*report.Record // by limit: the records that it counts, as they came
}

// channel counts the records of one channel that were not counted before. That one is counted is noted by its id: so the
// records of an entry that comes again, or of another that holds them too, count once. They come in the order of their ids.
func (c *counting) channel(batch *report.Logs) {
	key := config.ChannelKey(batch.Channel)
	if !c.host.looksAt(key) {
		return
	}
	upTo := c.logs.upTo(key, batch.Epoch)
	last := upTo
	full := c.watch.state.crowded(c.entry.Host)
	mailed := len(c.watch.receivers(c.entry.Host)) > 0
	for i := range batch.Records {
		r := &batch.Records[i]
		if r.ID <= upTo {
			continue
		}
		matched := false
		x := candidate{Record: r, channel: key}
		for n := range c.host.events {
			if c.host.events[n].selects(&x) {
				matched = true
				c.counted[n] = append(c.counted[n], r)
			}
		}
		if mailed && slices.ContainsFunc(c.host.records, func(s selection) bool { return s.selects(&x) }) {
			matched = true
			c.logs.push(&pending{
				ID: fmt.Sprintf("%s/%d/%d", key, batch.Epoch, r.ID), Channel: batch.Channel, Record: mailedRecord(r),
			}, full())
		}
		if matched {
			last = r.ID
		}
	}
	if last > upTo {
		c.logs.see(key, batch.Epoch, last)
		c.changed = true
	}
	left := ""
	if batch.More && c.watch.state.exceeded(c.entry.Host) {
		left = c.entry.Visit
	}
	c.changed = c.logs.leave(key, left) || c.changed
}

// judge raises the alerts of limits that the records exceed by their own times, however late they come.
func (c *counting) judge() []alert.Notice {
	var all []alert.Notice
	for n := range c.host.events {
		rule := &c.host.events[n]
		if len(c.counted[n]) == 0 {
			continue
		}
		times := make([]time.Time, len(c.counted[n]))
		for i, r := range c.counted[n] {
			times[i] = r.Time
		}
		window := c.logs.window(rule.name)
		most := window.add(times, rule.within)
		if most.n <= rule.above {
			continue
		}
		window.visit = c.entry.Visit
		o := alert.Observation{
			Host:       c.entry.Host,
			Statistics: []report.Statistic{matches(rule.name, most.n)},
			Reasons:    map[string]string{report.LogsMatches: words(rule.channel, most, c.counted[n])},
		}
		all = append(all, c.watch.judgeMatches(c.entry.Host, rule, o, c.entry.Read)...)
	}
	return all
}

func matches(name string, n int) report.Statistic {
	return report.Statistic{Name: report.LogsMatches, Instance: name, Unit: "1", Kind: report.Gauge, Value: float64(n)}
}

// judgeMatches evaluates a limit on log records, and no other. mu is held.
func (w *Watch) judgeMatches(host string, rule *eventRule, o alert.Observation, at time.Time) []alert.Notice {
	var own, others []alert.Alert
	for _, a := range w.state.open(host) {
		if a.Statistic == report.LogsMatches && a.Instance == rule.name {
			own = append(own, a)
		} else {
			others = append(others, a)
		}
	}
	next, notices := alert.Evaluate([]alert.Limit{rule.limit}, own, o, at)
	w.state.replace(host, append(others, next...))
	if len(next) > 0 {
		w.nudge()
	}
	return notices
}

// revisit ends the alerts on log records that a visit shows to be over: those whose limit is gone, and those of which there
// are no more records in the time before the visit than there may be. The visit that exceeded a limit does not show that,
// nor does one that did not read the channel to its end. mu is held.
func (w *Watch) revisit(v *entry.Visit) []alert.Notice {
	if v.Report == nil {
		return nil
	}
	host := w.watched[v.Host]
	logs := w.state.logs(v.Host)
	now := v.Started
	if at := v.Report.Time; !at.IsZero() {
		now = at // by the clock that the records' times are from
	}
	var all []alert.Notice
	for _, a := range w.state.open(v.Host) {
		if a.Statistic != report.LogsMatches {
			continue
		}
		o := alert.Observation{Host: v.Host}
		rule := &eventRule{name: a.Instance}
		if i := slices.IndexFunc(host.events, func(r eventRule) bool { return r.name == a.Instance }); i >= 0 {
			rule = &host.events[i]
			window := logs.window(rule.name)
			if window.visit == v.ID || logs.More[rule.channel] == v.ID || unread(v.Report, rule.channel) {
				continue
			}
			o.Statistics = []report.Statistic{matches(rule.name, window.count(now, rule.within))}
		}
		all = append(all, w.judgeMatches(v.Host, rule, o, v.Started)...)
	}
	return all
}

// unread reports whether the channel could not be read.
func unread(r *report.Report, channel string) bool {
	return slices.ContainsFunc(r.Statistics, func(s report.Statistic) bool {
		return s.Name == report.LogsFailed && s.Value > 0 && config.ChannelKey(s.Instance) == channel
	})
}
