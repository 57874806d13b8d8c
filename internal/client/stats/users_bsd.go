//go:build darwin || freebsd

package stats

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/shirou/gopsutil/v4/host"

	"muster/internal/report"
)

// readUsers counts the sessions of logged-in users. Where the system keeps no record of them there is nothing to give.
func readUsers(ctx context.Context) ([]report.Statistic, error) {
	sessions, err := host.UsersWithContext(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sessions of users: %w", err)
	}
	return []report.Statistic{gauge("users.count", "", "1", float64(len(sessions)))}, nil
}
