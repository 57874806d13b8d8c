package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

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
			r.checkComing(&e.Log.mark, limit.Filter, known)
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
		r.wrong(a, "is of statistics: select log records by events, levels or providers")
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
	limit = EventLimit{Channel: string(name), Filter: filterOf(report.Events(e.Events.or(nil)), &e.kinds), Above: above}
	limit.For = r.between(e.For, 0, time.Second, longestWindow)
	switch {
	case lifted && e.For != nil && !e.For.wrong:
		r.wrong(&e.For.mark, "means nothing where there is no limit: leave it out")
	case !lifted && e.For == nil:
		r.add(e.at, `this <limit> does not say in how long there may be no more records: say for="…"`)
	}
	wrong := func(m *mark) bool { return m != nil && m.wrong }
	ok = known && (counted || lifted) && !wrong(markOf(e.Events)) && !wrong(markOf(e.Levels)) && !wrong(markOf(e.Providers))
	return limit, lifted, ok
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
func (r *resolver) checkComing(log *mark, f report.Filter, known []placedLogs) {
	name := log.text
	there, comes := coming(trimmed(name), f, known)
	if comes {
		return
	}
	if there {
		at := known[slices.IndexFunc(known, func(l placedLogs) bool {
			return channel(l.Channel).key() == channel(trimmed(name)).key()
		})].at
		r.wrong(log, "none of these records are brought home: the <logs> %s leaves them out", r.where(at, log.at))
		return
	}
	names := make([]string, len(known))
	for i, l := range known {
		names[i] = l.Channel
	}
	if near := Nearest(trimmed(name), names); near != "" {
		r.wrong(log, "no host here brings home this log: did you mean %s?", near)
		return
	}
	r.wrong(log, `no host here brings home this log: say <logs channel=%s/> too`, quoted(trimmed(name)))
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
		value, given := e.Events.given()
		lifted := given && len(value) == 0
		m := MailRecords{Channel: string(name), Filter: filterOf(report.Events(value), &e.kinds)}
		key := strings.ToLower(Selection(m.Channel, m.Filter))
		if at, repeated := first[key]; repeated {
			r.add(e.at, "a second <mail-records> of the same records: the first is %s", r.where(at, e.at))
			continue
		}
		first[key] = e.at
		if lifted {
			continue
		}
		r.checkKinds(name, markOf(e.Events), &e.kinds)
		r.checkComing(&e.Log.mark, m.Filter, known)
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
