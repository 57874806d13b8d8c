//go:build unix

package files

import (
	"os"
	"strconv"
	"syscall"
)

// openShared opens a file for reading, and does not wait where it turns out to be a pipe.
func openShared(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
}

// identify returns what tells a file from all others that are there at the same time: its device and inode. Either can be
// another's later.
func identify(_ string, info os.FileInfo) (string, error) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return unknownFile, nil
	}
	return strconv.FormatUint(uint64(stat.Dev), 16) + ":" + strconv.FormatUint(uint64(stat.Ino), 16), nil //nolint:unconvert // not of these types everywhere
}

// identifyOpen is identify for a file that is open.
func identifyOpen(f *os.File) (string, os.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return "", nil, err
	}
	id, err := identify("", info)
	return id, info, err
}
