package config

import "os/exec"

// ownGroup does nothing: Windows has no process groups that could be killed, and the command alone is.
func ownGroup(*exec.Cmd) {}
