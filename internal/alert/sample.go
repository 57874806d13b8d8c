package alert

import (
	"math"
	"strings"
)

type series struct{ statistic, instance string }

type sample struct {
	value float64
	unit  string
}

// fits reports whether the sample can be held against the rule's bound.
func (s sample) fits(r rule) bool {
	if math.IsNaN(s.value) || math.IsInf(s.value, 0) {
		return false
	}
	return r.unit == "" || r.unit == s.unit
}

// samples are an observation's values by series, in the order in which they came.
type samples struct {
	order   []series
	values  map[series]sample
	blind   bool // the visit failed: nothing is known of what is not there
	partial bool // a source failed: what is not there may still exist
}

// sampled returns the values that the rules and the open alerts can have a use for.
func sampled(o Observation, wanted map[string]bool) samples {
	s := samples{values: map[series]sample{}, blind: o.Failed, partial: o.Incomplete}
	failed := 0.0
	if o.Failed {
		failed = 1
	}
	// It comes first, so that none from the host takes its place.
	s.add(series{VisitFailed, ""}, sample{failed, "1"})
	if o.Failed {
		return s
	}
	for _, statistic := range o.Statistics {
		if wanted[statistic.Name] {
			s.add(series{statistic.Name, statistic.Instance}, sample{statistic.Value, statistic.Unit})
		}
	}
	return s
}

func (s *samples) add(key series, value sample) {
	if _, known := s.values[key]; known {
		return
	}
	s.values[key] = value
	s.order = append(s.order, key)
}

// gone reports whether the observation shows that a series, of which it has no value, no longer exists.
func (s *samples) gone(key series) bool {
	if s.blind || s.partial {
		return false
	}
	counter, derived := counterOf(key.statistic)
	if !derived {
		return true
	}
	// What is derived from two readings is missing from the first report after a restart of the host or of the server.
	// It is gone only if what it is derived from is.
	for _, other := range s.order {
		if other.statistic == counter && (key.instance == "" || other.instance == key.instance) {
			return false
		}
	}
	return true
}

// counterOf returns the counter from which a statistic is derived, and whether it is.
func counterOf(statistic string) (string, bool) {
	if statistic == "cpu.usage" || statistic == "cpu.share" {
		return "cpu.time", true
	}
	return strings.CutSuffix(statistic, ".rate")
}

// wanted returns the names of the statistics that must be looked at.
func wanted(rules []rule, open []Alert) map[string]bool {
	names := make(map[string]bool, len(rules)+len(open))
	add := func(name string) {
		names[name] = true
		if counter, derived := counterOf(name); derived {
			names[counter] = true
		}
	}
	for _, r := range rules {
		add(r.statistic)
	}
	for _, a := range open {
		add(a.Statistic)
	}
	return names
}
