package stats

import (
	"github.com/shirou/gopsutil/v4/disk"

	"muster/internal/report"
)

// diskIOStatistics gives what was read and written of one device.
func diskIOStatistics(device string, d disk.IOCountersStat, goos string) []report.Statistic {
	all := []report.Statistic{
		counter("disk.read", device, "B", float64(d.ReadBytes)),
		counter("disk.written", device, "B", float64(d.WriteBytes)),
		counter("disk.reads", device, "1", float64(d.ReadCount)),
		counter("disk.writes", device, "1", float64(d.WriteCount)),
	}
	if goos == "linux" || goos == "freebsd" {
		all = append(all, counter("disk.busy", device, "s", float64(d.IoTime)/1000))
	}
	return all
}
