//go:build !linux

package stats

import (
	"context"
	"errors"
	"fmt"

	"github.com/shirou/gopsutil/v4/process"

	"muster/internal/report"
)

func countProcesses(ctx context.Context) ([]report.Statistic, error) {
	ids, err := process.PidsWithContext(ctx)
	if err == nil && len(ids) == 0 {
		err = errors.New("the system gave none") // which is how gopsutil reports a failure on FreeBSD
	}
	if err != nil {
		return nil, fmt.Errorf("processes: %w", err)
	}
	return []report.Statistic{gauge("processes.count", "", "1", float64(len(ids)))}, nil
}
