package sshtest

import (
	"os"
	"os/exec"
)

// ownGroup leaves a command as it is: Windows has no process groups that could be killed as a whole.
func ownGroup(*exec.Cmd) {}

// signalOf returns nothing: Windows has no signals.
func signalOf(*os.ProcessState) string { return "" }
