package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// shellCommand is how the default shell is called for a command line.
func shellCommand(powershell bool, line string) (*exec.Cmd, error) {
	system := filepath.Join(os.Getenv("SystemRoot"), "system32")
	if powershell {
		program := filepath.Join(system, `WindowsPowerShell\v1.0\powershell.exe`)
		return exec.Command(program, "-c", line), nil //nolint:gosec,noctx // it is not to be killed
	}
	program := filepath.Join(system, "cmd.exe")
	command := exec.Command(program) //nolint:noctx // likewise
	command.SysProcAttr = &syscall.SysProcAttr{CmdLine: fmt.Sprintf(`"%s" /c "%s"`, program, line)}
	return command, nil
}

// openDesktop has Wine start what a user's session on Windows always has. Otherwise the first program that needs it starts it,
// and what it starts lives longer than that program and holds its output open.
func openDesktop() {
	_, _, _ = syscall.NewLazyDLL("user32.dll").NewProc("GetDesktopWindow").Call() // a handle, which is of no use
}
