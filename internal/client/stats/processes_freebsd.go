package stats

import (
	"context"
	"errors"
	"fmt"

	"github.com/shirou/gopsutil/v4/load"

	"muster/internal/report"
)

// readProcesses counts processes, and asks ps(1) for those that run or wait for a device.
func readProcesses(ctx context.Context) ([]report.Statistic, error) {
	all, countErr := countProcesses(ctx)
	misc, err := load.MiscWithContext(ctx)
	if err != nil {
		return all, errors.Join(countErr, fmt.Errorf("states of processes: %w", err))
	}
	return append(all,
		gauge("processes.running", "", "1", float64(misc.ProcsRunning)),
		gauge("processes.blocked", "", "1", float64(misc.ProcsBlocked)),
	), countErr
}
