//go:build !windows

package remote

import (
	"io/fs"
	"os"
	"syscall"
)

// isTooOpen tells whether a private key is our own and yet open to others. Whether somebody else's is, is for its owner
// to say: it may be shared with a group on purpose.
func isTooOpen(info fs.FileInfo) bool {
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(status.Uid) == os.Getuid() && info.Mode().Perm()&0o077 != 0
}
