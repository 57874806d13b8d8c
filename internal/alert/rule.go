package alert

import (
	"time"

	"muster/internal/report"
)

// rule is one side of a limit.
type rule struct {
	statistic string
	instance  string // empty: every one
	direction Direction
	unit      string
	bound     float64
	hold      time.Duration
	within    time.Duration
}

// rulesOf splits limits into their sides.
func rulesOf(limits []Limit) []rule {
	rules := make([]rule, 0, len(limits))
	for _, l := range limits {
		r := rule{statistic: l.Statistic, instance: l.Instance, unit: l.Unit, hold: l.For, within: l.Within}
		if l.Above != nil {
			r.direction, r.bound = Above, *l.Above
			rules = append(rules, r)
		}
		if l.Below != nil {
			r.direction, r.bound = Below, *l.Below
			rules = append(rules, r)
		}
	}
	return rules
}

// find returns the rule that holds for a series in one direction.
func find(rules []rule, statistic, instance string, direction Direction) (rule, bool) {
	var found rule
	ok := false
	for _, r := range rules {
		if r.statistic != statistic || r.direction != direction {
			continue
		}
		if r.instance == instance || r.instance == "" && (!ok || found.instance == "") {
			found, ok = r, true
		}
	}
	return found, ok
}

func (r rule) exceeded(value float64) bool {
	if r.direction == Above {
		return value > r.bound
	}
	return value < r.bound
}

// text returns the rule as a person reads it; unit is that of the values where the limit names none.
func (r rule) text(unit string) string {
	if r.unit != "" {
		unit = r.unit
	}
	text := string(r.direction) + " " + report.FormatValue(r.bound, unit)
	if r.within > 0 {
		text += " within " + report.FormatValue(r.within.Seconds(), "s")
	}
	if r.hold > 0 {
		text += " for " + report.FormatValue(r.hold.Seconds(), "s")
	}
	return text
}
