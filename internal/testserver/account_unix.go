//go:build unix

package testserver

import (
	"os/exec"
	"syscall"
)

// runAs has the command run as another user; nil: as this one.
func runAs(cmd *exec.Cmd, a *account) {
	if a != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)},
		}
	}
}
