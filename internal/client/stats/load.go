//go:build !windows

package stats

import (
	"context"
	"fmt"

	"github.com/shirou/gopsutil/v4/load"

	"muster/internal/report"
)

// readLoad gives the load averages.
func readLoad(ctx context.Context) ([]report.Statistic, error) {
	average, err := load.AvgWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return []report.Statistic{
		gauge("load.1", "", "1", average.Load1),
		gauge("load.5", "", "1", average.Load5),
		gauge("load.15", "", "1", average.Load15),
	}, nil
}
