package testserver

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Freeze stops sshd and every process of its connections, as a machine that hangs does: the kernel goes on to accept
// connections, and nobody answers. They go on at the end of the test, if not before (Thaw).
func (s *Sshd) Freeze(t testing.TB) {
	t.Helper()
	t.Cleanup(func() { _ = s.signalAll(syscall.SIGCONT) })
	if err := s.signalAll(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// Thaw lets a frozen sshd go on.
func (s *Sshd) Thaw(t testing.TB) {
	t.Helper()
	if err := s.signalAll(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// signalAll sends a signal to sshd and to all that descends from it.
func (s *Sshd) signalAll(signal syscall.Signal) error {
	s.mu.Lock()
	family := []int{s.pid}
	s.mu.Unlock()
	children, err := processes()
	if err != nil {
		return err
	}
	for i := 0; i < len(family); i++ {
		if err := syscall.Kill(family[i], signal); err != nil {
			return fmt.Errorf("signal %v to process %d: %w", signal, family[i], err)
		}
		family = append(family, children[family[i]]...)
	}
	return nil
}

// processes returns the children of every process.
func processes() (map[int][]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := make(map[int][]int)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		// pid (name) state parent …; the name may hold anything.
		fields := bytes.Fields(content[bytes.LastIndexByte(content, ')')+1:])
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || len(fields) < 2 {
			return nil, fmt.Errorf("%s: what is this: %q", file, content)
		}
		parent, err := strconv.Atoi(string(fields[1]))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		children[parent] = append(children[parent], pid)
	}
	return children, nil
}
