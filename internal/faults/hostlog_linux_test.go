package faults_test

import (
	"bytes"
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

// The programs that write to a host's log, as far as the configuration knows them: a record of either is mailed, and there
// is a limit on how many the second may write within a time.
const (
	rareProgram  = "rare"
	burstProgram = "burst"

	burstLimit  = 20
	burstWithin = 5 * time.Second

	rarely      = 40  // lines, one of which is the rare program's
	recordsKept = 100 // of a host, until they are mailed: docs/logs.md
)

// hostLog is a log file of a host, with a writer who numbers its lines and never stops.
type hostLog struct {
	host string
	path string

	mu      sync.Mutex
	written int // lines
	first   int // line of the file
	cleared []faults.Lines
	marked  []int // lines that are to be mailed
	bursts  []faults.Burst
	broken  error // why the writer ended before its time
}

func newHostLog(host, folder string) (*hostLog, error) {
	err := os.Mkdir(folder, 0o755) // the host's user reads it
	return &hostLog{host: host, path: filepath.Join(folder, "bench.log"), first: 1}, err
}

// elements are those of the configuration that are about the log.
func (l *hostLog) elements() string {
	return fmt.Sprintf(`<limit log="file:%s" providers="%s" above="%d" for="%s"/><logs channel="file:%[1]s" since="all"/>`+
		`<mail-records log="file:%[1]s" providers="%[2]s,%[5]s"/>`, l.path, burstProgram, burstLimit, burstWithin, rareProgram)
}

// instance is that of the alerts on its records.
func (l *hostLog) instance() string { return "file:" + l.path + ", providers " + burstProgram }

// logAccount is what was written to a log.
type logAccount struct {
	written int            // lines
	cleared []faults.Lines // that were in the file when it was cleared
	marked  []int          // that are to be mailed
	bursts  []faults.Burst
}

func (l *hostLog) account() logAccount {
	l.mu.Lock()
	defer l.mu.Unlock()
	return logAccount{l.written, slices.Clone(l.cleared), slices.Clone(l.marked), slices.Clone(l.bursts)}
}

// write writes a line in every twentieth of a second, until ctx ends.
func (l *hostLog) write(ctx context.Context) {
	for pause(ctx, 50*time.Millisecond) {
		if l.broken = l.line(); l.broken != nil {
			return
		}
	}
}

// line writes a line, now and then one of the rare program.
func (l *hostLog) line() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	program := "test"
	if l.written%rarely == rarely-1 {
		program = rareProgram
	}
	_, err := l.add(program, 1)
	return err
}

// add writes lines of a program, at times a little apart of which the last is now, and returns between which. It opens the
// file each time, as a program does that is told of each rotation. l.mu is held.
func (l *hostLog) add(program string, n int) (faults.Span, error) {
	out, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644) // the host's user reads it
	if err != nil {
		return faults.Span{}, err
	}
	defer out.Close()
	const apart = 20 * time.Millisecond
	now := time.Now()
	first := now.Add(-time.Duration(n-1) * apart)
	var text bytes.Buffer
	for i := range n {
		at := first.Add(time.Duration(i) * apart)
		fmt.Fprintf(&text, "%s bench %s[1]: %s%d\n", at.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), program, faults.Lined,
			l.written+i+1)
	}
	if _, err := out.Write(text.Bytes()); err != nil {
		return faults.Span{}, err
	}
	for range n {
		l.written++
		if program == rareProgram || program == burstProgram {
			l.marked = append(l.marked, l.written)
		}
	}
	return faults.Span{From: first, To: now}, nil
}

// flood writes a burst of records: more than the limit allows, or just as many. It leaves the one before alone for long
// enough that no time of the limit's length holds both. It returns how many it wrote: one or none.
func (l *hostLog) flood(f faults.Fault) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := len(l.bursts) - 1; last >= 0 && time.Since(l.bursts[last].Span.To) < 2*burstWithin {
		return 0, nil
	}
	lines := burstLimit + 10
	if f.Dose < 0.3 {
		lines = burstLimit
	}
	first := l.written + 1
	span, err := l.add(burstProgram, lines)
	if err != nil {
		return 0, err
	}
	l.bursts = append(l.bursts, faults.Burst{Host: l.host, Lines: faults.Lines{First: first, Last: l.written}, Span: span})
	return 1, nil
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
		if _, err := l.add("test", 200); err != nil {
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
