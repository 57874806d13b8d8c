package report

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Rates returns what can be derived from two readings of the same host's counters that were taken elapsed apart:
//
//   - for each counter that is in both, its increase a second, named and measured as RateOf says; also for counters that
//     the catalogue does not have;
//   - for cpu.time instead cpu.share of each mode, and cpu.usage.
//
// There is no rate for a counter that went back, for it has begun again or wrapped, and none at all where elapsed is not
// positive, or where uptime says that the host was started between the readings: its counters then count from there.
// What later has already, because the client took two readings itself, is not returned again.
//
// cpu.usage is 100 less the shares of the modes idle and iowait. Linux lets iowait go back now and then; it then counts as
// unchanged.
//
// The values are finite and not negative. Neither argument is changed.
func Rates(earlier, later []Statistic, elapsed time.Duration) []Statistic {
	if elapsed <= 0 || restarted(earlier, later, elapsed) {
		return nil
	}
	rates := make([]Statistic, 0, len(later))
	measured := derived(later)
	add := func(s Statistic) {
		if s.Value >= 0 && !math.IsInf(s.Value, 1) && !measured[series{s.Name, s.Instance}] {
			rates = append(rates, s)
		}
	}
	before := reading{statistics: earlier}
	var cpu cpuTimes
	for i := range later {
		s := &later[i]
		if s.Kind != Counter {
			continue
		}
		was := before.counter(i, s)
		if was == nil {
			continue
		}
		if s.Name == cpuTime {
			cpu.add(s.Instance, s.Value-was.Value)
			continue
		}
		if rate, ok := rateOf(s); ok {
			rate.Value = (s.Value - was.Value) / elapsed.Seconds()
			add(rate)
		}
	}
	cpu.rates(add)
	return rates
}

// rateOf returns the rate of a counter, still without its value.
func rateOf(counter *Statistic) (Statistic, bool) {
	rate := Statistic{Instance: counter.Instance, Kind: Gauge}
	name := counter.Name + rateSuffix
	if d := lookup(name); d != nil {
		rate.Name, rate.Unit = d.Name, d.Unit
	} else {
		rate.Name, rate.Unit = name, rateUnit(counter.Unit)
	}
	return rate, len(rate.Name) <= MaxName && len(rate.Unit) <= MaxUnit
}

// restarted says whether the host was started between two readings. uptime is known to the second, and elapsed has been
// measured by other clocks, so two seconds are forgiven.
func restarted(earlier, later []Statistic, elapsed time.Duration) bool {
	is := func(s Statistic) bool { return s.Name == Uptime && s.Instance == "" }
	i, j := slices.IndexFunc(earlier, is), slices.IndexFunc(later, is)
	return i >= 0 && j >= 0 && (later[j].Value < earlier[i].Value || later[j].Value+2 < elapsed.Seconds())
}

// derived returns which of the statistics are of the sort that Rates returns.
func derived(statistics []Statistic) map[series]bool {
	var found map[series]bool
	for i := range statistics {
		s := &statistics[i]
		if s.Kind != Gauge || s.Name != cpuUsage && s.Name != cpuShare && !strings.HasSuffix(s.Name, rateSuffix) {
			continue
		}
		if found == nil {
			found = make(map[series]bool)
		}
		found[series{s.Name, s.Instance}] = true
	}
	return found
}

// reading finds the statistics of a reading.
type reading struct {
	statistics []Statistic
	bySeries   map[series]*Statistic // made when it is first needed
}

// counter returns the statistic that s can be compared with, or nil. It is expected at index i: two readings of a host
// nearly always have the same order.
func (r *reading) counter(i int, s *Statistic) *Statistic {
	var found *Statistic
	if i < len(r.statistics) && r.statistics[i].Name == s.Name && r.statistics[i].Instance == s.Instance {
		found = &r.statistics[i]
	} else {
		found = r.find(s)
	}
	if found == nil || found.Kind != Counter || found.Unit != s.Unit {
		return nil
	}
	return found
}

func (r *reading) find(s *Statistic) *Statistic {
	if r.bySeries == nil {
		r.bySeries = make(map[series]*Statistic, len(r.statistics))
		for i := range r.statistics {
			s := &r.statistics[i]
			r.bySeries[series{s.Name, s.Instance}] = s
		}
	}
	return r.bySeries[series{s.Name, s.Instance}]
}

// cpuTimes adds up by how much the CPU time of each mode has grown.
type cpuTimes struct {
	modes      []cpuMode
	busy, idle float64
	knowsIdle  bool
	wentBack   bool
}

type cpuMode struct {
	name  string
	grown float64
}

func (c *cpuTimes) add(mode string, grown float64) {
	if grown < 0 {
		if mode != "iowait" {
			c.wentBack = true
			return
		}
		grown = 0
	}
	c.modes = append(c.modes, cpuMode{mode, grown})
	switch mode {
	case "idle":
		c.knowsIdle = true
		c.idle += grown
	case "iowait":
		c.idle += grown
	default:
		c.busy += grown
	}
}

func (c *cpuTimes) rates(add func(Statistic)) {
	total := c.busy + c.idle
	if c.wentBack || !c.knowsIdle || !(total > 0) {
		return
	}
	add(Statistic{Name: cpuUsage, Unit: "%", Kind: Gauge, Value: 100 * (c.busy / total)})
	for _, mode := range c.modes {
		add(Statistic{Name: cpuShare, Instance: mode.name, Unit: "%", Kind: Gauge, Value: 100 * (mode.grown / total)})
	}
}
