package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"muster/internal/faults"
)

// hostLog is a log file of a host, with a writer who numbers its lines and never stops.
type hostLog struct {
	path string

	mu      sync.Mutex
	written int // lines
	first   int // line of the file
	cleared []faults.Lines
	broken  error // why the writer ended before its time
}

func newHostLog(folder string) (*hostLog, error) {
	err := os.Mkdir(folder, 0o755) // the host's user reads it
	return &hostLog{path: filepath.Join(folder, "bench.log"), first: 1}, err
}

// account returns how many lines were written, and which of them were in the file when it was cleared.
func (l *hostLog) account() (int, []faults.Lines) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written, slices.Clone(l.cleared)
}

// write writes a line in every twentieth of a second, until ctx ends.
func (l *hostLog) write(ctx context.Context) {
	for pause(ctx, 50*time.Millisecond) {
		l.mu.Lock()
		err := l.add(1)
		l.mu.Unlock()
		if err != nil {
			l.broken = err
			return
		}
	}
}

// add writes lines. It opens the file each time, as a program does that is told of each rotation. l.mu is held.
func (l *hostLog) add(n int) error {
	out, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644) // the host's user reads it
	if err != nil {
		return err
	}
	defer out.Close()
	for range n {
		if _, err := fmt.Fprintf(out, "Nov 23 12:00:00 bench test[1]: %s%d\n", faults.Lined, l.written+1); err != nil {
			return err
		}
		l.written++
	}
	return nil
}

// rotate gives the file the name .1, and those that have been rotated before the next ones. None is removed.
func (l *hostLog) rotate() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := 1
	for ; ; last++ {
		if _, err := os.Lstat(fmt.Sprintf("%s.%d", l.path, last)); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
	}
	for ; last > 1; last-- {
		if err := os.Rename(fmt.Sprintf("%s.%d", l.path, last-1), fmt.Sprintf("%s.%d", l.path, last)); err != nil {
			return err
		}
	}
	err := os.Rename(l.path, l.path+".1")
	switch {
	case err == nil:
		l.first = l.written + 1
	case errors.Is(err, fs.ErrNotExist):
		err = nil // nothing was written since the last time
	}
	return err
}

// clear truncates the file: with lines that nobody can have read, or after nothing was written for a while.
func (l *hostLog) clear(ctx context.Context, f faults.Fault) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.Dose < 0.5 {
		if err := l.add(200); err != nil {
			return err
		}
	} else {
		pause(ctx, f.Hold)
	}
	err := os.Truncate(l.path, 0)
	switch {
	case err == nil:
		l.cleared = append(l.cleared, faults.Lines{First: l.first, Last: l.written})
		l.first = l.written + 1
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	return err
}
