package stats

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"muster/internal/report"
)

// readUptime gives the time since boot. gopsutil knows whole seconds only; /proc/uptime has hundredths, and is the
// container's own where a container has its own.
func readUptime(ctx context.Context) ([]report.Statistic, error) {
	text, err := os.ReadFile(filepath.Join(procRoot(ctx), "uptime"))
	if err != nil {
		return nil, fmt.Errorf("uptime: %w", err)
	}
	seconds, err := parseUptime(string(text))
	if err != nil {
		return nil, err
	}
	return []report.Statistic{gauge("uptime", "", "s", seconds)}, nil
}

// parseUptime returns the first number of /proc/uptime (proc_uptime(5)): seconds since boot.
func parseUptime(text string) (float64, error) {
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil || seconds < 0 {
		return 0, fmt.Errorf("uptime: /proc/uptime says %.40q instead of seconds", text)
	}
	return seconds, nil
}
