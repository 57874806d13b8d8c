package faults_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// process is one as /proc has it.
type process struct {
	pid     int
	command string // its arguments with spaces between them
}

// namespace names the process namespace that it lives in.
func (p process) namespace() string {
	name, _ := os.Readlink(filepath.Join("/proc", strconv.Itoa(p.pid), "ns/pid"))
	return name
}

// processes returns those whose command line contains text, but for this one.
func processes(text string) []process {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	var found []process
	for _, folder := range folders {
		raw, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		command := strings.TrimSpace(string(bytes.ReplaceAll(raw, []byte{0}, []byte{' '})))
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err == nil && pid != os.Getpid() && strings.Contains(command, text) {
			found = append(found, process{pid, command})
		}
	}
	return found
}

// kill kills those that are given and returns how many it found.
func kill(those []process) int {
	n := 0
	for _, p := range those {
		if syscall.Kill(p.pid, syscall.SIGKILL) == nil {
			n++
		}
	}
	return n
}

// descriptors counts a process's open files; 0 if it has ended.
func descriptors(pid int) int {
	entries, _ := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	return len(entries)
}
