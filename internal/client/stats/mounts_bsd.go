//go:build darwin || freebsd

package stats

import (
	"context"

	"golang.org/x/sys/unix"
)

// mounts lists what is mounted, as the kernel knows it. gopsutil asks every file system for its state (MNT_WAIT), and
// would hang with the first that does not answer.
func mounts(context.Context) ([]mount, error) {
	count, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return nil, err
	}
	found := make([]unix.Statfs_t, count+8) // some more, should another be mounted meanwhile
	count, err = unix.Getfsstat(found, unix.MNT_NOWAIT)
	if err != nil {
		return nil, err
	}
	all := make([]mount, 0, count)
	for i := range found[:count] {
		s := &found[i]
		all = append(all, mount{
			Device: unix.ByteSliceToString(s.Mntfromname[:]),
			Point:  unix.ByteSliceToString(s.Mntonname[:]),
			Type:   unix.ByteSliceToString(s.Fstypename[:]),
		})
	}
	return all, nil
}
