package stats

import (
	"context"
	"fmt"

	"github.com/shirou/gopsutil/v4/load"

	"muster/internal/report"
)

// readProcesses counts the entries of /proc, without looking into any, and takes the kernel's own count of those that
// run or wait for a device.
func readProcesses(ctx context.Context) ([]report.Statistic, error) {
	misc, err := load.MiscWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("processes: %w", err)
	}
	return []report.Statistic{
		gauge("processes.count", "", "1", float64(misc.ProcsTotal)),
		gauge("processes.running", "", "1", float64(misc.ProcsRunning)),
		gauge("processes.blocked", "", "1", float64(misc.ProcsBlocked)),
	}, nil
}
