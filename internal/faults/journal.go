package faults

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxLine bounds a line of the server's log.
const maxLine = 4 << 20

// Ack is a visit that the server says it has taken over: from then on it may not be lost.
type Ack struct {
	Host       string
	Visit      string    // its id
	Sweep      time.Time // the sweep's name; zero where the log does not say
	Statistics int       // of its report; -1 where the log does not say
	Failed     bool      // there is no report
}

// Journal is what the bench learns from the server's log.
type Journal struct {
	Acks     []Ack    // in the order of the log, each visit once
	Sweeps   int      // that ended
	Breaches []string // lines of the log that no server should ever write: panics, races
	Torn     int      // lines that are cut: a process died while it wrote

	listing bool // the runtime lists goroutines, which it was asked for
}

// Messages of the server's log.
const (
	kept       = "visit kept" // at the level debug: it is in the queue, and on disk
	ended      = "visit ended"
	failed     = "visit failed"
	sweepEnded = "sweep ended"

	listed = "SIGQUIT: quit" // the runtime's, when it was asked to list the goroutines
)

// ReadJournal reads the log of one or many server processes after each other, in JSON, at the level debug. A visit is
// acknowledged by "visit kept"; in a log that never says so, of a server without a queue, by its end. Lines that are not
// JSON are the runtime's. The error is that of reading.
func ReadJournal(r io.Reader) (Journal, error) {
	var j Journal
	var order []string
	known := make(map[string]*entry)
	queued := false
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var line logLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			j.other(lines.Text())
			continue
		}
		j.listing = false
		if line.Message == sweepEnded {
			j.Sweeps++
		}
		if line.Visit == "" {
			continue
		}
		e := known[line.Visit]
		if e == nil {
			e = &entry{Ack: Ack{Host: line.Host, Visit: line.Visit, Statistics: -1}}
			known[line.Visit] = e
			order = append(order, line.Visit)
		}
		e.read(line)
		queued = queued || e.kept
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("a line has more than %d bytes: %w", maxLine, err)
		}
		return Journal{}, fmt.Errorf("the server's log: %w", err)
	}
	for _, visit := range order {
		if e := known[visit]; e.kept || !queued && e.ended {
			j.Acks = append(j.Acks, e.Ack)
		}
	}
	return j, nil
}

// entry is a visit as the log has told of it so far.
type entry struct {
	Ack
	kept, ended bool
}

func (e *entry) read(line logLine) {
	switch line.Message {
	case kept:
		e.kept = true
	case ended:
		e.ended, e.Statistics, e.Sweep = true, line.Statistics, line.Sweep
	case failed:
		e.ended, e.Failed, e.Sweep = true, true, line.Sweep
	}
}

// logLine is what the bench reads of a line.
type logLine struct {
	Message    string    `json:"msg"`
	Host       string    `json:"host"`
	Visit      string    `json:"visit"`
	Sweep      time.Time `json:"sweep"`
	Statistics int       `json:"statistics"`
}

// other takes note of a line that is not the logger's.
func (j *Journal) other(line string) {
	switch {
	case strings.HasPrefix(line, listed):
		j.listing = true
	case j.listing: // what goes wrong while it does, as it may under the race detector, is none of the server's doing
	case strings.HasPrefix(line, "panic:"), strings.HasPrefix(line, "fatal error:"),
		strings.HasPrefix(line, "WARNING: DATA RACE"), strings.HasPrefix(line, "runtime: out of memory"):
		j.Breaches = append(j.Breaches, line)
	case strings.HasPrefix(line, "{"):
		j.Torn++
	}
}
