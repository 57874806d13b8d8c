//go:build !freebsd

package stats

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/shirou/gopsutil/v4/disk"

	"muster/internal/report"
)

// readDiskIO gives what was read and written, for each disk that was used since boot.
func readDiskIO(ctx context.Context) ([]report.Statistic, error) {
	devices, err := disk.IOCountersWithContext(ctx)
	if err != nil {
		err = fmt.Errorf("disk counters: %w", err)
	}
	wanted := wholeDisks(ctx)
	var all []report.Statistic
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		if wanted(name) {
			all = append(all, diskIOStatistics(name, devices[name], runtime.GOOS)...)
		}
	}
	return all, err
}
