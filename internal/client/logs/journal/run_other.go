//go:build !unix

package journal

import "os/exec"

const nonblock = 0

func isolate(*exec.Cmd) {}
