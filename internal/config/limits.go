package config

import (
	"fmt"
	"math"
	"time"

	"muster/internal/report"
)

// none is the bound that takes a limit away.
const none = "none"

// longestFor bounds how long a limit may be exceeded before anybody is told.
const longestFor = 366 * 24 * time.Hour

// builtinLimits returns the limits that hold where the configuration says nothing of their statistics.
func builtinLimits() []Limit {
	never := 0.0
	return []Limit{
		{Statistic: report.VisitFailed, Unit: "1", Above: &never},
		{Statistic: report.LogsGaps, Unit: "1", Above: &never},
		{Statistic: report.LogsFailed, Unit: "1", Above: &never},
	}
}

// limitKey is what a limit replaces another of.
type limitKey struct {
	statistic, instance string
	above               bool
}

func (l *Limit) key() limitKey { return limitKey{l.Statistic, l.Instance, l.Above != nil} }

// learnStatistics makes the catalogue, with the rates that come from counters, fast to look up.
func (r *resolver) learnStatistics() {
	r.statistics = map[string]report.Definition{}
	for _, d := range report.Catalogue() {
		r.learn(d)
		if rate, ok := report.RateOf(d); ok {
			r.learn(rate)
		}
	}
}

func (r *resolver) learn(d report.Definition) {
	r.statistics[d.Name] = d
	r.names = append(r.names, d.Name)
}

// limits returns the limits that hold inside an element: its own, and the inherited ones that it does not replace.
// Inherited is not changed.
func (r *resolver) limits(own []*limitElement, inherited []Limit) []Limit {
	if len(own) == 0 {
		return inherited
	}
	first := make(map[limitKey]int, len(own))
	replaced := make(map[limitKey]bool, len(own))
	var added []Limit
	for _, e := range own {
		if e.onLog() {
			continue
		}
		limit, ok := r.limit(e)
		if !ok {
			continue
		}
		if at, repeated := first[limit.key()]; repeated {
			r.add(e.at, "a second <limit> on the same side of the same statistic and instance: the first is %s",
				r.where(at, e.at))
			continue
		}
		first[limit.key()] = e.at
		replaced[limit.key()] = true
		if limit.Instance == "" && limit.lifted() {
			continue
		}
		added = append(added, limit)
	}
	result := make([]Limit, 0, len(inherited)+len(added))
	for _, limit := range inherited {
		if !replaced[limit.key()] {
			result = append(result, limit)
		}
	}
	return append(result, added...)
}

// lifted reports whether nothing exceeds the limit.
func (l *Limit) lifted() bool {
	return l.Above != nil && math.IsInf(*l.Above, 1) || l.Below != nil && math.IsInf(*l.Below, -1)
}

// limit returns what one element says; false where mistakes leave open which limit it is.
func (r *resolver) limit(e *limitElement) (Limit, bool) {
	if e.Statistic == nil {
		r.add(e.at, `this <limit> says neither statistic="…" nor log="…"`)
		return Limit{}, false
	}
	for _, a := range []*mark{markOf(e.Events), markOf(e.Levels), markOf(e.Providers), markOf(e.Logon)} {
		if a != nil && !a.wrong {
			r.wrong(a, `selects log records: say log="…" instead of statistic="…"`)
		}
	}
	hold := r.between(e.For, 0, 0, longestFor)
	definition, known := r.definition(e)
	side, above := e.Above, true
	switch {
	case e.Above != nil && e.Below != nil:
		r.wrong(&e.Below.mark, `stands beside above="…": write a <limit> for each`)
	case e.Above == nil && e.Below == nil:
		r.add(e.at, `this <limit> says no bound: say above="…" or below="…"`)
	case e.Below != nil:
		side, above = e.Below, false
	}
	text, given := side.given()
	if !known || !given || e.Instance != nil && e.Instance.wrong {
		return Limit{}, false
	}
	limit := Limit{Statistic: definition.Name, Instance: string(e.Instance.or("")), Unit: definition.Unit, For: hold}
	value, err := boundOf(string(text), definition, above)
	switch {
	case err != nil:
		r.wrong(&side.mark, "%s", err)
	case text == none && e.For != nil && !e.For.wrong:
		r.wrong(&e.For.mark, "means nothing where there is no limit: leave it out")
	}
	if above {
		limit.Above = &value
	} else {
		limit.Below = &value
	}
	return limit, true
}

// boundOf reads a limit's bound in the unit of its statistic.
func boundOf(text string, of report.Definition, above bool) (float64, error) {
	yesOrNo, what := false, ""
	switch of.Name {
	case report.VisitFailed:
		yesOrNo, what = true, "a visit that failed"
	case report.LogsFailed:
		yesOrNo, what = true, "a channel that could not be read"
	}
	switch {
	case yesOrNo && !above:
		return 0, fmt.Errorf(`%s is 1 for %s and 0 otherwise: its limit is above="0"`, of.Name, what)
	case text == none && above:
		return math.Inf(1), nil
	case text == none:
		return math.Inf(-1), nil
	case yesOrNo && text != "0":
		return 0, fmt.Errorf(`%s is 1 for %s and 0 otherwise: its limit is above="0" or above="none"`, of.Name, what)
	}
	return parseQuantity(text, of.Unit)
}

// definition returns the statistic that a limit is on, and notes why there can be no limit on it.
func (r *resolver) definition(e *limitElement) (report.Definition, bool) {
	name, given := e.Statistic.given()
	if !given {
		return report.Definition{}, false
	}
	d, known := r.statistics[string(name)]
	switch {
	case !known:
		near := nearest(string(name), r.names)
		if near == "" {
			r.wrong(&e.Statistic.mark, "there is no such statistic: docs/statistics.md names them all")
		} else {
			r.wrong(&e.Statistic.mark, "there is no such statistic: did you mean %s?", near)
		}
		return d, false
	case d.Kind == report.Counter:
		r.wrong(&e.Statistic.mark, "is a total since the host started, which only grows: did you mean %s?", rateName(d))
		return d, false
	}
	if _, given := e.Instance.given(); given && d.Instance == "" {
		r.wrong(&e.Instance.mark, "%s has no instances: leave it out", d.Name)
	}
	return d, true
}

// rateName returns the statistic that a limit is put on instead of a counter.
func rateName(counter report.Definition) string {
	if rate, ok := report.RateOf(counter); ok {
		return rate.Name
	}
	return "cpu.usage"
}
