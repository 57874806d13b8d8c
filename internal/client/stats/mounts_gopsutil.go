//go:build linux || windows

package stats

import (
	"context"
	"slices"

	"github.com/shirou/gopsutil/v4/disk"
)

// mounts lists what is mounted, without asking the file systems themselves on Linux. With an error, what was found
// until then.
func mounts(ctx context.Context) ([]mount, error) {
	partitions, err := disk.PartitionsWithContext(ctx, true)
	all := make([]mount, 0, len(partitions))
	for _, p := range partitions {
		all = append(all, mount{p.Device, p.Mountpoint, p.Fstype, slices.Contains(p.Opts, "bind")})
	}
	return all, err
}
