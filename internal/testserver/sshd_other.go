//go:build !linux

package testserver

import "os/exec"

// canIsolate is false: namespaces are Linux's.
func canIsolate() bool { return false }

func isolate(_, program string, args ...string) *exec.Cmd { return exec.Command(program, args...) }
