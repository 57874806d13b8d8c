//go:build unix

package journal

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

const nonblock = syscall.O_NONBLOCK // or a pipe under a journal's name would wait for a writer

// isolate has a program killed with all that it started.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		} else if err != nil {
			return err
		}
		return nil
	}
}
