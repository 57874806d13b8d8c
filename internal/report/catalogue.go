package report

import (
	"slices"
	"sync"
)

// Names of statistics that other packages go by, too.
const (
	// Uptime is how long ago the host was started, in seconds: less than at the visit before, it was started again.
	Uptime = "uptime"
	// VisitFailed is 1 where a visit failed and 0 where it did not. The server makes it of the visit; no host can report it.
	VisitFailed = reserved + "failed"
	// LogsRecords, LogsGaps and LogsFailed say how the reading of a host's logs went, channel by channel. The server makes them
	// of what the visit brought; no host can report them.
	LogsRecords = reservedLogs + "records"
	LogsGaps    = reservedLogs + "gaps"
	LogsFailed  = reservedLogs + "failed"
	// LogsMatches is how many log records there were within the time of a limit on them, which is its instance. It exists in
	// alerts alone: no report and no table has it, and the configuration names the log.
	LogsMatches = reservedLogs + "matches"
)

// Names that only this package goes by.
const (
	cpuTime      = "cpu.time"
	cpuUsage     = "cpu.usage"
	cpuShare     = "cpu.share"
	rateSuffix   = ".rate"
	reserved     = "visit." // what the server says of a visit, and no host may say
	reservedLogs = "logs."  // what it says of the reading of a host's logs, likewise
)

// Definition describes a statistic that Muster knows: docs/statistics.md is made of these, and the configuration checks
// the names and units of limits against them. A report may hold others.
type Definition struct {
	Name        string
	Unit        string
	Kind        Kind
	Instance    string // what an instance is (mount, interface, device, mode, sensor, channel); empty: there is one
	Source      string // the source that reads it; "server" for what the server derives or knows itself
	Platforms   string // linux windows darwin freebsd, or those it exists on
	OTel        string // the OpenTelemetry semantic convention's name of it; empty: there is none
	Description string
}

// Catalogue returns all statistics that Muster knows, ordered as they are documented.
func Catalogue() []Definition {
	return slices.Concat(processors(), memory(), system(), fileSystems(), devices(), network(), logs())
}

// RateOf returns the definition of the rate that Rates makes of a counter: name.rate, with the unit a second (B/s, 1/s;
// s/s is the dimensionless 1). cpu.time has none: it becomes cpu.usage and cpu.share.
func RateOf(counter Definition) (Definition, bool) {
	if counter.Kind != Counter || counter.Name == cpuTime {
		return Definition{}, false
	}
	rate := counter
	rate.Name += rateSuffix
	rate.Unit = rateUnit(counter.Unit)
	rate.Kind = Gauge
	rate.Source = "server"
	rate.OTel = ""
	rate.Description = counter.Name + " a second, over the time since the visit before"
	return rate, true
}

func rateUnit(unit string) string {
	if unit == "s" {
		return "1"
	}
	return unit + "/s"
}

// Lookup returns the definition of a statistic by its name, the rates of the counters included.
func Lookup(name string) (Definition, bool) {
	d := lookup(name)
	if d == nil {
		return Definition{}, false
	}
	return *d, true
}

// lookup is Lookup without the copy. What it returns is shared and never changed.
func lookup(name string) *Definition {
	return index()[name]
}

// index holds the catalogue by name, since a report is checked against it statistic by statistic. The first call makes
// it; from then on it is only read.
var index = sync.OnceValue(func() map[string]*Definition {
	catalogue := Catalogue()
	index := make(map[string]*Definition, 2*len(catalogue))
	for i := range catalogue {
		d := &catalogue[i]
		index[d.Name] = d
		if rate, ok := RateOf(*d); ok {
			index[rate.Name] = &rate
		}
	}
	return index
})
