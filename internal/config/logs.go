package config

import (
	"slices"
	"strings"
	"time"

	"muster/internal/report"
)

const (
	defaultSince    = time.Hour
	mostEventLimits = 100 // of a host: each has a window of its own on the server
	mostAbove       = 100_000
	longestWindow   = 7 * 24 * time.Hour
)

// eventTerms is what holds of log records within an element. It is shared and never written to.
type eventTerms struct {
	logs    []placedLogs
	limits  []EventLimit
	records []placedRecords
	applied appliedTerms
}

// appliedTerms is what of it concerns a host: limits and mails on what it brings home.
type appliedTerms struct {
	logs    []Logs
	limits  []EventLimit
	records []Records
	mailed  []*mark // the logs of records, where they stand
}

type placedLogs struct {
	Logs
	at int
}

type placedRecords struct {
	Records
	log *mark
}

// events returns what holds of log records inside an element: what it says itself, and what is inherited and not
// replaced. Within finds the <logs> elements in the elements inside it; nil: there are none.
func (r *resolver) events(t *terms, within *contents, inherited *eventTerms) *eventTerms {
	if len(t.Logs)+len(t.MailRecords) == 0 && !slices.ContainsFunc(t.Limits, (*limitElement).onLog) {
		return inherited
	}
	own := &eventTerms{}
	own.logs = r.logs(t.Logs, inherited.logs)
	known := slices.Clone(own.logs)
	if within != nil {
		known = appendLogs(known, within)
	}
	own.limits = r.eventLimits(t.Limits, inherited.limits, known)
	own.records = r.mailRecords(t.MailRecords, inherited.records, known)
	own.apply()
	return own
}

// apply finds out what of the terms concerns a host.
func (t *eventTerms) apply() {
	a := &t.applied
	for _, l := range t.logs {
		a.logs = append(a.logs, l.Logs)
	}
	for _, l := range t.limits {
		if _, comes := l.coming(t.logs); comes {
			a.limits = append(a.limits, l)
		}
	}
	for _, m := range t.records {
		if _, comes := m.coming(t.logs); comes {
			a.records = append(a.records, m.Records)
			a.mailed = append(a.mailed, m.log)
		}
	}
}

// appendLogs appends the channels that are brought home somewhere inside an element.
func appendLogs(logs []placedLogs, c *contents) []placedLogs {
	take := func(t *terms) {
		for _, e := range t.Logs {
			if l, ok := e.logs(); ok && !e.lifted() {
				logs = append(logs, placedLogs{l, e.at})
			}
		}
	}
	for _, host := range c.Hosts {
		take(&host.terms)
	}
	for _, group := range c.Groups {
		take(&group.terms)
		logs = appendLogs(logs, &group.contents)
	}
	return logs
}

// lifted reports whether the element takes an inherited channel away.
func (e *logsElement) lifted() bool {
	value, ok := e.Events.given()
	return ok && len(value) == 0
}

// logs returns what the element says, of what in it is not wrong; false where nobody knows of which channel.
func (e *logsElement) logs() (Logs, bool) {
	name, ok := e.Channel.given()
	l := Logs{
		Channel: string(name), Filter: filterOf(report.Events(e.Events.or(nil)), &e.kinds),
		Since:    time.Duration(e.Since.or(since(defaultSince))),
		Raw:      bool(e.Raw.or(true)),
		Messages: bool(e.Messages.or(false)),
	}
	l.Filter.XPath = string(e.XPath.or(""))
	return l, ok
}

// logs returns the channels that are brought home inside an element. Inherited is not changed.
func (r *resolver) logs(own []*logsElement, inherited []placedLogs) []placedLogs {
	if len(own) == 0 {
		return inherited
	}
	first := make(map[string]int, len(own))
	var added []placedLogs
	for _, e := range own {
		l, ok := e.logs()
		if !ok {
			continue
		}
		key := channel(l.Channel).key()
		if at, repeated := first[key]; repeated {
			r.add(e.at, "a second <logs> of the same channel: the first is %s", r.where(at, e.at))
			continue
		}
		first[key] = e.at
		r.checkLogs(e)
		if !e.lifted() {
			added = append(added, placedLogs{l, e.at})
		}
	}
	result := make([]placedLogs, 0, len(inherited)+len(added))
	for _, l := range inherited {
		if _, replaced := first[channel(l.Channel).key()]; !replaced {
			result = append(result, l)
		}
	}
	result = append(result, added...)
	if len(result) > report.MaxChannels && len(inherited) <= report.MaxChannels {
		r.add(own[len(own)-1].at, "with this <logs> a host brings home %d channels: %d are the most", len(result), report.MaxChannels)
	}
	return result
}

// checkLogs notes what in a <logs> does not go together.
func (r *resolver) checkLogs(e *logsElement) {
	name := e.Channel.value
	if e.lifted() {
		for _, a := range []*mark{markOf(e.Levels), markOf(e.Providers), markOf(e.XPath), markOf(e.Since), markOf(e.Raw), markOf(e.Messages)} {
			if a != nil && !a.wrong {
				r.wrong(a, `means nothing beside events="none", with which the channel is not brought home: leave it out`)
			}
		}
		return
	}
	r.checkKinds(name, markOf(e.Events), &e.kinds)
	if !name.windowsLog() {
		if a := markOf(e.XPath); a != nil && !a.wrong {
			r.wrong(a, "only channels of the Windows event log take one: leave it out")
		}
		if _, given := e.Messages.given(); given {
			r.wrong(&e.Messages.mark, "means something for channels of the Windows event log only: leave it out")
		}
		return
	}
	// There may be any channel on a host, but a slip in the name of one that all hosts have is likelier.
	usual := []string{"Security", "System", "Application", "Setup", "ForwardedEvents", report.Journal}
	if near := Nearest(string(name), usual); near != "" && !strings.EqualFold(near, string(name)) {
		r.warn(e.Channel.at, "%s: did you mean %s?", &e.Channel.mark, near)
	}
}

// markOf returns an attribute's mark; nil where it was not given.
func markOf[T any](a *attribute[T]) *mark {
	if a == nil {
		return nil
	}
	return &a.mark
}

// checkKinds notes what records of a channel never have.
func (r *resolver) checkKinds(of channel, events *mark, k *kinds) {
	if events != nil && !events.wrong && !of.windowsLog() {
		r.wrong(events, "records of %s have no event ids: select them by levels or providers", quoted(string(of)))
	}
	chosen, _ := k.Levels.given()
	for _, level := range chosen {
		switch windows, syslog := levelOf(level); {
		case of.windowsLog() && !windows:
			r.wrong(&k.Levels.mark, "records of the Windows event log never have the level %s: they have critical, error, "+
				"warning, information, verbose, audit-failure and audit-success", level)
			return
		case !of.windowsLog() && !syslog:
			r.wrong(&k.Levels.mark, "records of %s never have the level %s, which only the Windows event log has",
				quoted(string(of)), level)
			return
		}
	}
}

// levelOf reports whether records of the Windows event log have a level, and whether those of syslog have.
func levelOf(l report.Level) (windows, syslog bool) {
	switch l {
	case report.Critical, report.Error, report.Warning, report.Information:
		return true, true
	case report.Verbose, report.AuditFailure, report.AuditSuccess:
		return true, false
	}
	return false, true
}
