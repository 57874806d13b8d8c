//go:build !windows

package config

import (
	"io/fs"
	"syscall"
)

// accessOf returns who can read a file, of which info was got by os.
func accessOf(info fs.FileInfo) Access {
	status, ok := info.Sys().(*syscall.Stat_t)
	return Access{Mode: info.Mode(), RootOwned: ok && status.Uid == 0}
}
