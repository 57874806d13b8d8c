package stats

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/shirou/gopsutil/v4/mem"

	"muster/internal/report"
)

// readMemory gives the machine's memory.
func readMemory(ctx context.Context) ([]report.Statistic, error) {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	return memoryStatistics(m, runtime.GOOS), nil
}

// memoryStatistics counts as used what is not available, on every system, so that cached files are not used memory. In
// a container available can exceed total; it is held to it.
func memoryStatistics(m *mem.VirtualMemoryStat, goos string) []report.Statistic {
	available := min(m.Available, m.Total)
	used := m.Total - available
	all := []report.Statistic{
		gauge("memory.usage", "", "%", percent(float64(used), float64(m.Total))),
		gauge("memory.total", "", "B", float64(m.Total)),
		gauge("memory.used", "", "B", float64(used)),
		gauge("memory.available", "", "B", float64(available)),
	}
	if goos == "linux" {
		all = append(all, gauge("memory.cached", "", "B", float64(m.Cached)))
	}
	return all
}

// readSwap gives the swap space of the machine.
func readSwap(ctx context.Context) ([]report.Statistic, error) {
	if !hasSwap() {
		return swapStatistics(&mem.SwapMemoryStat{}, runtime.GOOS, os.Getpagesize()), nil
	}
	s, err := mem.SwapMemoryWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("swap: %w", err)
	}
	return swapStatistics(s, runtime.GOOS, os.Getpagesize()), nil
}

// swapStatistics has no usage where there is no swap: there is nothing to be used, and 0 would say that there is.
// gopsutil takes a page for 4096 B, but arm64 has kernels with pages of 16 or 64 KiB.
func swapStatistics(s *mem.SwapMemoryStat, goos string, pageSize int) []report.Statistic {
	used := min(s.Used, s.Total)
	all := []report.Statistic{
		gauge("swap.total", "", "B", float64(s.Total)),
		gauge("swap.used", "", "B", float64(used)),
	}
	if s.Total > 0 {
		all = append(all, gauge("swap.usage", "", "%", percent(float64(used), float64(s.Total))))
	}
	if goos == "linux" {
		page := float64(pageSize) / 4096
		all = append(all,
			counter("swap.in", "", "B", float64(s.Sin)*page),
			counter("swap.out", "", "B", float64(s.Sout)*page),
		)
	}
	return all
}
