//go:build !windows

package remote

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a new file the owner and the group of the one whose place it takes.
func keepOwner(path string, of fs.FileInfo) error {
	status, ok := of.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	made, err := os.Stat(path)
	if err != nil {
		return err
	}
	if own, ok := made.Sys().(*syscall.Stat_t); ok && own.Uid == status.Uid && own.Gid == status.Gid {
		return nil
	}
	return os.Chown(path, int(status.Uid), int(status.Gid))
}

// syncFolder makes sure that a new name in a folder outlives a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
