//go:build !windows

package main

import "os/exec"

func shellCommand(bool, string) (*exec.Cmd, error) { return nil, errNotWindows }

func openDesktop() {}
