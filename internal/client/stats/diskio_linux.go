package stats

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// wholeDisks returns a function that says of a name in /proc/diskstats whether it is a disk of its own (or made of disks:
// LVM, RAID, dm-crypt) and not a partition, which would count its disk's transfers twice, nor a disk in memory or in a
// file of another disk. Without /sys, as in some containers, partitions cannot be told and are disks too.
func wholeDisks(ctx context.Context) func(name string) bool {
	entries, err := os.ReadDir(filepath.Join(sysRoot(ctx), "block"))
	whole := make(map[string]bool, len(entries))
	for _, entry := range entries {
		whole[entry.Name()] = true
	}
	return func(name string) bool {
		for _, prefix := range []string{"loop", "ram", "zram", "fd", "sr"} {
			if strings.HasPrefix(name, prefix) {
				return false
			}
		}
		return err != nil || whole[name]
	}
}
