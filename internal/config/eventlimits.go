package config

import (
	"slices"
	"strconv"
	"time"

	"muster/internal/events"
	"muster/internal/report"
)

// onLog reports whether the limit is one on log records.
func (e *limitElement) onLog() bool { return e.Log != nil }

// eventLimits returns the limits on log records inside an element. Known are the channels that any host there brings home.
func (r *resolver) eventLimits(own []*limitElement, inherited []EventLimit, known []placedLogs) []EventLimit {
	first := make(map[string]int, len(own))
	var added []EventLimit
	var last *limitElement
	for _, e := range own {
		if !e.onLog() {
			continue
		}
		last = e
		limit, lifted, ok := r.eventLimit(e)
		if !ok {
			continue
		}
		if at, repeated := first[limit.key()]; repeated {
			r.add(e.at, "a second <limit> on the same records: the first is %s", r.where(at, e.at))
			continue
		}
		first[limit.key()] = e.at
		if !lifted {
			r.checkComing(&e.Log.mark, &limit.Records, known)
			added = append(added, limit)
		}
	}
	if last == nil {
		return inherited
	}
	result := make([]EventLimit, 0, len(inherited)+len(added))
	for _, limit := range inherited {
		if _, replaced := first[limit.key()]; !replaced {
			result = append(result, limit)
		}
	}
	result = append(result, added...)
	if len(result) > mostEventLimits && len(inherited) <= mostEventLimits {
		r.add(last.at, "with this <limit> a host has %d limits on its logs: %d are the most", len(result), mostEventLimits)
	}
	return result
}

// eventLimit returns what one element says; false where mistakes leave open which limit it is.
func (r *resolver) eventLimit(e *limitElement) (limit EventLimit, lifted, ok bool) {
	if e.Statistic != nil {
		r.wrong(&e.Statistic.mark, `stands beside log="…": write a <limit> for each`)
	}
	if a := markOf(e.Instance); a != nil && !a.wrong {
		r.wrong(a, "is of statistics: select log records by events, levels, providers or logon")
	}
	if a := markOf(e.Below); a != nil && !a.wrong {
		r.wrong(a, `a limit on log records is one on how many there may be: say above="…"`)
	}
	name, known := e.Log.given()
	if known {
		r.checkKinds(name, markOf(e.Events), &e.kinds)
	}
	lifted = e.Above != nil && !e.Above.wrong && e.Above.value == none
	above, counted := r.most(e, lifted)
	limit.Records = recordsOf(name, report.Events(e.Events.or(nil)), &e.kinds, e.Logon)
	limit.Above = above
	limit.For = r.between(e.For, 0, time.Second, longestWindow)
	switch {
	case lifted && e.For != nil && !e.For.wrong:
		r.wrong(&e.For.mark, "means nothing where there is no limit: leave it out")
	case !lifted && e.For == nil:
		r.add(e.at, `this <limit> does not say in how long there may be no more records: say for="…"`)
	}
	ok = known && !anyWrong(markOf(e.Events), markOf(e.Levels), markOf(e.Providers), markOf(e.Logon)) &&
		r.checkLogon(e.Logon, &limit.Records) && (counted || lifted)
	return limit, lifted, ok
}

// anyWrong reports whether a mistake was noted of one of the attributes that were given.
func anyWrong(marks ...*mark) bool {
	return slices.ContainsFunc(marks, func(m *mark) bool { return m != nil && m.wrong })
}

// recordsOf returns the records that attributes select, of those that are not wrong.
func recordsOf(of channel, ids report.Events, k *kinds, l *attribute[logon]) Records {
	return Records{Channel: string(of), Filter: filterOf(ids, k), Logon: string(l.or(""))}
}

// checkLogon notes where no record that is selected can be such a logon. It reports whether all is well.
func (r *resolver) checkLogon(l *attribute[logon], records *Records) bool {
	switch {
	case records.Logon == "" || records.passes(report.Filter{}):
		return true
	case len(events.LogonKinds(records.Channel, records.Logon)) == 0:
		r.wrong(&l.mark, "no record of %s is a logon: Windows has those in Security, and those of OpenSSH in OpenSSH/Operational",
			quoted(records.Channel))
	default:
		r.wrong(&l.mark, "none of the records that are selected beside it is one: docs/windows.md says which records are logons")
	}
	return false
}

// most reads how many records there may be; false where that is not known.
func (r *resolver) most(e *limitElement, lifted bool) (int, bool) {
	text, given := e.Above.given()
	switch {
	case e.Above == nil && e.Below == nil:
		r.add(e.at, `this <limit> says no bound: say above="…"`)
		return 0, false
	case !given || lifted:
		return 0, false
	}
	value, err := strconv.Atoi(string(text))
	if err != nil || value < 0 || value > mostAbove || strconv.Itoa(value) != string(text) {
		r.wrong(&e.Above.mark, "must be a whole number of log records, from 0 to %d, or none", mostAbove)
		return 0, false
	}
	return value, true
}

// checkComing notes a selection of log records that no host brings home.
func (r *resolver) checkComing(log *mark, records *Records, known []placedLogs) {
	there, comes := records.coming(known)
	if comes {
		return
	}
	if there {
		at := known[slices.IndexFunc(known, func(l placedLogs) bool {
			return channel(l.Channel).key() == channel(records.Channel).key()
		})].at
		r.wrong(log, "none of these records are brought home: the <logs> %s leaves them out", r.where(at, log.at))
		return
	}
	names := make([]string, len(known))
	for i, l := range known {
		names[i] = l.Channel
	}
	if near := Nearest(records.Channel, names); near != "" {
		r.wrong(log, "no host here brings home this log: did you mean %s?", near)
		return
	}
	r.wrong(log, `no host here brings home this log: say <logs channel=%s/> too`, quoted(records.Channel))
}

// mailRecords returns which records are mailed inside an element: its own for the logs that it names, and what is
// inherited for all others.
func (r *resolver) mailRecords(own []*mailRecordsElement, inherited []placedRecords, known []placedLogs) []placedRecords {
	if len(own) == 0 {
		return inherited
	}
	replaced := make(map[string]bool, len(own))
	first := make(map[string]int, len(own))
	var added []placedRecords
	for _, e := range own {
		name, ok := e.Log.given()
		if !ok {
			continue
		}
		replaced[name.key()] = true
		r.checkMailed(e)
		if anyWrong(markOf(e.Events), markOf(e.Levels), markOf(e.Providers), markOf(e.Logon)) {
			continue
		}
		m := recordsOf(name, report.Events(e.Events.or(nil)), &e.kinds, e.Logon)
		if at, repeated := first[m.key()]; repeated {
			r.add(e.at, "a second <mail-records> of the same records: the first is %s", r.where(at, e.at))
			continue
		}
		first[m.key()] = e.at
		if e.lifted() || !r.checkLogon(e.Logon, &m) {
			continue
		}
		r.checkComing(&e.Log.mark, &m, known)
		added = append(added, placedRecords{m, &e.Log.mark})
	}
	result := make([]placedRecords, 0, len(inherited)+len(added))
	for _, m := range inherited {
		if !replaced[channel(m.Channel).key()] {
			result = append(result, m)
		}
	}
	result = append(result, added...)
	if len(result) > mostEventLimits && len(inherited) <= mostEventLimits {
		r.add(own[len(own)-1].at, "with this <mail-records> a host has %d of them: %d are the most", len(result), mostEventLimits)
	}
	return result
}

// lifted reports whether the element takes away what is mailed of a log.
func (e *mailRecordsElement) lifted() bool {
	value, given := e.Events.given()
	return given && len(value) == 0
}

// checkMailed notes what in a <mail-records> does not go together.
func (r *resolver) checkMailed(e *mailRecordsElement) {
	if !e.lifted() {
		r.checkKinds(e.Log.value, markOf(e.Events), &e.kinds)
		return
	}
	for _, a := range []*mark{markOf(e.Levels), markOf(e.Providers), markOf(e.Logon)} {
		if a != nil && !a.wrong {
			r.wrong(a, `means nothing beside events="none", with which no records of this log are mailed: leave it out`)
		}
	}
}

// doubtRecords warns, once for each <mail-records>, of a host whose records nobody would get.
func (r *resolver) doubtRecords(h *Host, mailed []*mark) {
	for _, log := range mailed {
		if r.unmailed[log] || r.config.Mail != nil && len(h.Mail) > 0 {
			continue
		}
		if r.unmailed == nil {
			r.unmailed = map[*mark]bool{}
		}
		r.unmailed[log] = true
		if r.config.Mail == nil {
			r.warn(log.at, "%s: nobody is mailed without <mail>", log)
		} else {
			r.warn(log.at, `%s: nobody is mailed the records of %s: name receivers by mail="…"`, log, quoted(h.Name))
		}
	}
}
