// Package stats reads the statistics of the machine it runs on: CPU, memory, swap, uptime, load, disks, network,
// processes, users and temperatures, on Linux, Windows, macOS and FreeBSD.
//
// It is an explicit list of sources, one for each platform, and a function for each source. A source reads once and
// keeps nothing: counters are given raw, as totals since boot, and whoever has two readings makes rates of them. A
// source that cannot exist on a platform is not in that platform's list; what a machine does not have (swap, sensors,
// someone who records logins) is absent from the statistics, without an error.
//
// Names, units and kinds are those of report.Catalogue; a test holds the two together. The readings come from gopsutil.
// Where it is much slower than the kernel, or says less, a source reads the kernel's own file or call instead, with the
// reason beside it; parsing is then apart from reading. As everywhere with gopsutil, HOST_PROC, HOST_SYS and their like
// in the environment name other places than /proc and /sys. On Windows gopsutil's disk package, by being linked,
// switches on the system's own disk performance counters where the client runs as administrator.
//
// Sources may be read concurrently with each other. Most return within a millisecond; some ask a program of the system
// (netstat and ps on macOS and FreeBSD), and any of them can hang where the kernel does, whatever its context says: the
// caller bounds them. The disk source bounds each of its mounts by itself.
package stats

import (
	"context"
	"math"

	"muster/internal/report"
)

// Source is one thing to read. Read returns what could be read, and an error for what could not: both together where
// only a part failed, and then the error is made by errors.Join of one error for each part. The statistics are the
// caller's. They are raw: not yet checked for names that XML forbids or numbers that are none.
type Source struct {
	Name string
	Read func(ctx context.Context) ([]report.Statistic, error)
}

func gauge(name, instance, unit string, value float64) report.Statistic {
	return report.Statistic{Name: name, Instance: instance, Unit: unit, Kind: report.Gauge, Value: value}
}

func counter(name, instance, unit string, value float64) report.Statistic {
	return report.Statistic{Name: name, Instance: instance, Unit: unit, Kind: report.Counter, Value: value}
}

// percent is the share of part in whole in percent, between 0 and 100; 0 where there is no whole.
func percent(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return math.Min(math.Max(part/whole*100, 0), 100)
}
