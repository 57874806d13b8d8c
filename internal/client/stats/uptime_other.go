//go:build !linux

package stats

import (
	"context"
	"fmt"

	"github.com/shirou/gopsutil/v4/host"

	"muster/internal/report"
)

// readUptime gives the time since boot, in whole seconds.
func readUptime(ctx context.Context) ([]report.Statistic, error) {
	seconds, err := host.UptimeWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("uptime: %w", err)
	}
	return []report.Statistic{gauge("uptime", "", "s", float64(seconds))}, nil
}
