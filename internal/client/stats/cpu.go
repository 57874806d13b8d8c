package stats

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/shirou/gopsutil/v4/cpu"

	"muster/internal/report"
)

// readCPU gives the CPU time by mode since boot, over all CPUs, and the number of CPUs.
func readCPU(ctx context.Context) ([]report.Statistic, error) {
	times, err := cpu.TimesWithContext(ctx, false)
	if err == nil && len(times) == 0 {
		err = errors.New("the system gave none") // which is how gopsutil says that /proc/stat could not be read
	}
	if err != nil {
		return nil, fmt.Errorf("CPU times: %w", err)
	}
	all := cpuTimes(times[0], runtime.GOOS)
	count, err := cpuCount(ctx)
	if err != nil {
		return all, fmt.Errorf("number of CPUs: %w", err)
	}
	return append(all, gauge("cpu.count", "", "1", float64(count))), nil
}

// cpuTimes leaves out the modes that a system does not count, and those that it counts within another: on Linux the
// time of guests is in user and nice already, on Windows the time of interrupts is in system. So the modes add up to
// all the time there was.
func cpuTimes(t cpu.TimesStat, goos string) []report.Statistic {
	mode := func(name string, seconds float64) report.Statistic { return counter("cpu.time", name, "s", seconds) }
	modes := []report.Statistic{mode("user", t.User), mode("system", t.System), mode("idle", t.Idle)}
	switch goos {
	case "linux":
		return append(modes, mode("nice", t.Nice), mode("iowait", t.Iowait), mode("irq", t.Irq),
			mode("softirq", t.Softirq), mode("steal", t.Steal))
	case "freebsd":
		return append(modes, mode("nice", t.Nice), mode("irq", t.Irq))
	case "darwin":
		return append(modes, mode("nice", t.Nice))
	}
	return modes
}

// cpuCount is the number of CPUs that are online. On Linux cpu.Counts reads /proc/cpuinfo, which costs 33 µs for each
// CPU and more where the kernel measures frequencies for it; the lines of /proc/stat cost 2 µs each.
func cpuCount(ctx context.Context) (int, error) {
	if runtime.GOOS != "linux" {
		return cpu.CountsWithContext(ctx, true)
	}
	each, err := cpu.TimesWithContext(ctx, true)
	if err == nil && len(each) == 0 {
		err = errors.New("no CPU in /proc/stat")
	}
	return len(each), err
}
