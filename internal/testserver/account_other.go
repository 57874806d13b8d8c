//go:build !unix

package testserver

import "os/exec"

// runAs does nothing: there is no root here to run as somebody else.
func runAs(*exec.Cmd, *account) {}
