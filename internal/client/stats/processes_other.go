//go:build darwin || windows

package stats

import (
	"context"

	"muster/internal/report"
)

// readProcesses counts processes; their states would cost a look into each.
func readProcesses(ctx context.Context) ([]report.Statistic, error) {
	return countProcesses(ctx)
}
