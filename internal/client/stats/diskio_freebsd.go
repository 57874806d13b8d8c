package stats

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"muster/internal/report"
)

// readDiskIO gives what was read and written, for each disk. gopsutil reads the same counters, but also runs geom(8) for
// each device to learn a serial number that nobody asked for.
func readDiskIO(context.Context) ([]report.Statistic, error) {
	raw, err := unix.SysctlRaw("kern.devstat.all")
	if err != nil {
		return nil, fmt.Errorf("disk counters: %w", err)
	}
	var all []report.Statistic
	for _, device := range parseDevstat(raw) {
		all = append(all, diskIOStatistics(device.Name, device, runtime.GOOS)...)
	}
	return all, nil
}
