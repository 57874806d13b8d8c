package watch

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"muster/internal/alert"
	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/mail"
	"muster/internal/outbox"
	"muster/internal/report"
)

func newWatched(h *config.Host) watched {
	limits := make([]alert.Limit, len(h.Limits))
	for i, l := range h.Limits {
		limits[i] = alert.Limit{
			Statistic: l.Statistic, Instance: l.Instance, Unit: l.Unit, Above: l.Above, Below: l.Below, For: l.For,
		}
	}
	known := watched{limits: limits, groups: strings.Join(h.Groups, "/"), receivers: h.Mail}
	known.learn(h)
	return known
}

// The conditions of the server itself that people are told of.
const (
	DatabaseAway   = "server.database.away"   // s, for how long
	QueueUsage     = "server.queue.usage"     // %, of the bytes that may wait
	ReportsRefused = "server.reports.refused" // 1, in the sweep, because the queue took no more
	DeadLetters    = "server.dead.letters"    // 1, that wait for a person
)

// serverLimits are the limits of the server itself.
func serverLimits() []alert.Limit {
	above := func(statistic, unit string, value float64) alert.Limit {
		return alert.Limit{Statistic: statistic, Unit: unit, Above: &value}
	}
	return []alert.Limit{
		above(DatabaseAway, "s", 60), above(QueueUsage, "%", 80), above(ReportsRefused, "1", 0), above(DeadLetters, "1", 0),
	}
}

// sweep judges how the server was at the end of a sweep, posts a letter to everybody who has news, and writes down who
// was told. The beginning of a sweep, and an end that was worked on before, are nothing.
func (w *Watch) sweep(ctx context.Context, s *entry.Sweep, number uint64) error {
	if s.Ended.IsZero() || number <= w.state.posted {
		return nil
	}
	o := alert.Observation{Host: Server, Reasons: make(map[string]string)}
	for _, c := range s.Conditions {
		o.Statistics = append(o.Statistics, report.Statistic{Name: c.Name, Unit: c.Unit, Kind: report.Gauge, Value: c.Value})
		o.Reasons[c.Name] = c.Text
	}
	if len(s.Conditions) > 0 {
		w.evaluate(ctx, o, &entry.Visit{Host: Server, Sweep: s.Time, Started: s.Ended}, number)
	}
	w.settle(number)
	news, letters := w.news(s, number)
	for _, l := range news {
		outcome, err := letters.Post(ctx, l.digest)
		if err != nil {
			return err
		}
		if outcome == outbox.Deferred {
			w.log.InfoContext(ctx, "mail is put off: an earlier one still waits for the mail server", "to", l.digest.To,
				"raised", len(l.digest.Raised), "ended", len(l.digest.Ended), "records", l.digest.RecordCount())
			continue
		}
		w.told(l, number)
	}
	if err := w.write(ctx, number); err != nil {
		return err
	}
	if err := w.options.Table.Put(ctx, postedKey, strconv.AppendUint(nil, number, 10)); err != nil {
		return err
	}
	w.state.posted = number
	return nil
}

// letter is the mail of one receiver, with the alerts and the log records that it tells of.
type letter struct {
	digest  mail.Digest
	alerts  []*entryOf
	records map[string][]*pending // by host
}

// news returns one letter for each receiver who is to be told something, ordered by receiver: alerts that fire and of
// which it was told nothing, those that are over of which it was not told so, and log records that it was not sent. What this very sweep has told, before
// the process was killed or the table failed, is in its letters again: so they are the same, and known to the outbox. It
// returns who takes them, too.
func (w *Watch) news(s *entry.Sweep, number uint64) ([]*letter, Letters) {
	w.mu.Lock()
	defer w.mu.Unlock()
	letters := make(map[string]*letter)
	ongoing := make(map[string]int)
	to := func(receiver string) *letter {
		l := letters[receiver]
		if l == nil {
			l = &letter{digest: mail.Digest{To: receiver, Sweep: s.Time, Now: s.Ended, Hosts: s.Hosts, Failed: s.Failed}}
			letters[receiver] = l
		}
		return l
	}
	for host, alerts := range w.state.hosts() {
		receivers := w.receivers(host)
		for _, e := range alerts {
			if e.Alert.Raised.IsZero() || e.Over {
				continue
			}
			for _, receiver := range receivers {
				if told := e.Told[receiver]; told.Phase == e.Alert.Phase && told.Sweep != number {
					if e.Alert.Phase == alert.Firing {
						ongoing[receiver]++
					}
					continue
				}
				to(receiver).add(e, w.watched[host].groups)
			}
		}
	}
	for host, logs := range w.state.allLogs() {
		for _, p := range logs.Pending {
			for _, receiver := range w.receivers(host) {
				if sweep, told := p.Told[receiver]; !told || sweep == number {
					to(receiver).mail(host, w.watched[host].groups, p)
				}
			}
		}
	}
	sorted := make([]*letter, 0, len(letters))
	for receiver, l := range letters {
		l.digest.Ongoing = ongoing[receiver]
		l.sort()
		sorted = append(sorted, l)
	}
	slices.SortFunc(sorted, func(a, b *letter) int { return strings.Compare(a.digest.To, b.digest.To) })
	return sorted, w.letters
}

// receivers returns who is told of a host; nobody where there is no mail server. mu is held.
func (w *Watch) receivers(host string) []string {
	if w.letters == nil {
		return nil
	}
	known, ok := w.watched[host]
	if !ok {
		return w.others
	}
	return known.receivers
}

func (l *letter) add(e *entryOf, groups string) {
	l.alerts = append(l.alerts, e)
	a := &e.Alert
	item := mail.Item{
		Notice: a.ID + "/" + string(a.Phase), Host: a.Host, Groups: groups, Statistic: a.Statistic,
		Instance: a.Instance, Unit: a.Unit, Limit: a.Limit, Text: a.Text, Value: a.Value, Since: a.Since, Ended: a.Ended,
	}
	if a.Phase == alert.Resolved {
		l.digest.Ended = append(l.digest.Ended, item)
	} else {
		l.digest.Raised = append(l.digest.Raised, item)
	}
}

// mail adds a log record of a host, or a number of them.
func (l *letter) mail(host, groups string, p *pending) {
	if l.records == nil {
		l.records = make(map[string][]*pending)
	}
	l.records[host] = append(l.records[host], p)
	r := mail.Record{Notice: host + "/" + p.ID, Host: host, Groups: groups, Channel: p.Channel, More: p.More}
	if p.Record != nil {
		r.Record = *p.Record
	}
	if p.More > 0 {
		r.Notice += "+" + strconv.Itoa(p.More)
	}
	l.digest.Records = append(l.digest.Records, r)
}

// sort makes the same letter of the same alerts, whatever their order.
func (l *letter) sort() {
	for _, items := range [][]mail.Item{l.digest.Raised, l.digest.Ended} {
		slices.SortFunc(items, func(a, b mail.Item) int {
			return strings.Compare(a.Host+"\x00"+a.Notice, b.Host+"\x00"+b.Notice)
		})
	}
	slices.SortFunc(l.digest.Records, func(a, b mail.Record) int { return strings.Compare(a.Notice, b.Notice) })
}

// told notes that a receiver knows what a letter says, by the sweep of this number.
func (w *Watch) told(l *letter, number uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range l.alerts {
		if e.Told == nil {
			e.Told = make(map[string]telling, 1)
		}
		e.Told[l.digest.To] = telling{e.Alert.Phase, number}
		e.projected = false
		w.state.shards[shardOf(e.Alert.Host)].changes++
	}
	for host, records := range l.records {
		for _, p := range records {
			if p.Told == nil {
				p.Told = make(map[string]uint64, 1)
			}
			p.Told[l.digest.To] = number
		}
		w.state.shards[shardOf(host)].changes++
	}
	w.nudge()
}

// settle ends the news of alerts that are over and of which everybody knows, and forgets those that the database has,
// too, and the log records that everybody was sent. What the sweep of this number has told stays as it is, for its letters.
func (w *Watch) settle(number uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.state.shards {
		sh := &w.state.shards[i]
		for host, alerts := range sh.hosts {
			for _, e := range alerts {
				if e.Alert.Phase == alert.Resolved && !e.Over && !e.toldBy(number) && w.everybodyKnows(e) {
					e.Over = true
					sh.changes++
				}
			}
			left := slices.DeleteFunc(slices.Clone(alerts), func(e *entryOf) bool { return e.Over && e.projected })
			if len(left) < len(alerts) {
				sh.changes++
				sh.put(host, left)
			}
		}
	}
	for host, logs := range w.state.allLogs() {
		if len(logs.Pending) > 0 && logs.settle(w.receivers(host), number) {
			w.state.putLogs(host, logs)
		}
	}
}

// everybodyKnows reports whether all receivers were told of an alert's phase, or need not be.
func (w *Watch) everybodyKnows(e *entryOf) bool {
	if e.Alert.Raised.IsZero() {
		return true
	}
	for _, to := range w.receivers(e.Alert.Host) {
		if e.Told[to].Phase != e.Alert.Phase {
			return false
		}
	}
	return true
}

// notified returns the phase that all receivers were told of last, for the database.
func (w *Watch) notified(e *entryOf) string {
	if len(e.Told) > 0 && (e.Over || w.everybodyKnows(e)) {
		return string(e.Alert.Phase)
	}
	return ""
}
