//go:build !windows

package failure_test

import "syscall"

const (
	errRefused = syscall.ECONNREFUSED
	errNoRoute = syscall.EHOSTUNREACH
)
