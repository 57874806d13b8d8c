//go:build !windows

package sshtest_test

import (
	"os"
	"syscall"
)

// openWriter opens a named pipe for writing, which fails if nobody has it open for reading.
func openWriter(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
}
