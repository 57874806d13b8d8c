package stats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v4/disk"

	"muster/internal/client/bound"
	"muster/internal/report"
)

// mount is a file system and where it is mounted.
type mount struct {
	Device string // what it is made of: /dev/sda1, server:/export, tank/home; on Windows the drive again
	Point  string // where it is mounted: /var, C:
	Type   string // ext4, nfs4, NTFS
	Bind   bool   // a folder of a file system that is, as a rule, mounted elsewhere too
}

// readDisks gives the fill of every file system that keeps data. Each is asked by itself and for a bounded time, so that
// one that does not answer, such as that of an NFS server that is gone, costs an error of its own and nothing more.
func readDisks(ctx context.Context) ([]report.Statistic, error) {
	all, err := mounts(ctx)
	if err != nil {
		err = fmt.Errorf("mounts: %w", err)
	}
	usages, usageErr := diskUsages(ctx, chosen(all), disk.UsageWithContext)
	return usages, errors.Join(err, usageErr)
}

// noAnswer is why a file system is given up.
type noAnswer struct{ after time.Duration }

func (n noAnswer) Error() string {
	return fmt.Sprintf("no answer within %v; is what it is mounted from still there?", n.after.Round(time.Millisecond))
}

// diskUsages asks all mounts at once and returns the answers in the order of the mounts. Those without an answer are
// given up when three quarters of the time that ctx leaves have passed, in time to report the others.
func diskUsages(
	ctx context.Context, mounts []mount, usage func(context.Context, string) (*disk.UsageStat, error),
) ([]report.Statistic, error) {
	if deadline, ok := ctx.Deadline(); ok {
		patience := time.Until(deadline) * 3 / 4
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, patience, noAnswer{patience})
		defer cancel()
	}

	type answer struct {
		statistics []report.Statistic
		err        error
	}
	answers := make([]chan answer, len(mounts))
	for i, m := range mounts {
		answers[i] = make(chan answer, 1)
		go func() {
			u, err := bound.Call(ctx, func(ctx context.Context) (*disk.UsageStat, error) { return usage(ctx, m.Point) })
			if err != nil {
				answers[i] <- answer{err: fmt.Errorf("%s: %w", m.Point, err)}
				return
			}
			answers[i] <- answer{statistics: diskStatistics(m, u)}
		}()
	}

	var all []report.Statistic
	var failed []error
	for _, a := range answers {
		got := <-a // soon: bound.Call returns when ctx ends
		all = append(all, got.statistics...)
		if got.err != nil {
			failed = append(failed, got.err)
		}
	}
	return all, errors.Join(failed...)
}

// diskStatistics is empty for a file system without a size: it keeps nothing that could fill it. The usage is that of
// df(1), of what users may fill. Inodes are given where the file system counts them.
func diskStatistics(m mount, u *disk.UsageStat) []report.Statistic {
	if u.Total == 0 {
		return nil
	}
	used := min(u.Used, u.Total)
	all := []report.Statistic{
		gauge("disk.usage", m.Point, "%", percent(float64(used), float64(used)+float64(u.Free))),
		gauge("disk.total", m.Point, "B", float64(u.Total)),
		gauge("disk.used", m.Point, "B", float64(used)),
		gauge("disk.free", m.Point, "B", float64(u.Free)),
	}
	if u.InodesTotal > 0 && u.InodesFree <= u.InodesTotal {
		used := float64(u.InodesTotal - u.InodesFree)
		all = append(all,
			gauge("disk.inodes.usage", m.Point, "%", percent(used, float64(u.InodesTotal))),
			gauge("disk.inodes.total", m.Point, "1", float64(u.InodesTotal)),
			gauge("disk.inodes.used", m.Point, "1", used),
		)
	}
	return all
}
