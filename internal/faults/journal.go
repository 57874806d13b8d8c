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
	Sweep      time.Time // the sweep's name
	Statistics int       // of its report; -1 where the log does not say
	Failed     bool      // there is no report
}

// Journal is what the bench learns from the server's log.
type Journal struct {
	Acks     []Ack    // in the order of the log, each visit once
	Sweeps   int      // that ended
	Breaches []string // lines of the log that no server should ever write: panics, races
	Torn     int      // lines that are cut: a process died while it wrote
}

// acknowledges tells whether a message of the server's log says that a visit was taken over.
func acknowledges(message string) bool {
	return message == "visit ended" || message == "visit failed"
}

// ReadJournal reads the log of one or many server processes after each other, in JSON. Lines that are not JSON are the
// runtime's. The error is that of reading.
func ReadJournal(r io.Reader) (Journal, error) {
	var j Journal
	var order []string
	known := make(map[string]*Ack)
	taken := make(map[string]bool)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		text := lines.Text()
		var line logLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			j.other(text)
			continue
		}
		switch {
		case line.Message == "sweep ended":
			j.Sweeps++
			continue
		case line.Visit == "":
			continue
		}
		a := known[line.Visit]
		if a == nil {
			a = &Ack{Host: line.Host, Visit: line.Visit, Sweep: line.Sweep, Statistics: -1}
			known[line.Visit] = a
		}
		switch line.Message {
		case "visit ended":
			a.Statistics, a.Sweep = line.Statistics, line.Sweep
		case "visit failed":
			a.Failed, a.Sweep = true, line.Sweep
		}
		if acknowledges(line.Message) && !taken[line.Visit] {
			taken[line.Visit] = true
			order = append(order, line.Visit)
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("a line has more than %d bytes: %w", maxLine, err)
		}
		return Journal{}, fmt.Errorf("the server's log: %w", err)
	}
	for _, visit := range order {
		j.Acks = append(j.Acks, *known[visit])
	}
	return j, nil
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
	case strings.HasPrefix(line, "panic:"), strings.HasPrefix(line, "fatal error:"),
		strings.HasPrefix(line, "WARNING: DATA RACE"), strings.HasPrefix(line, "runtime: out of memory"):
		j.Breaches = append(j.Breaches, line)
	case strings.HasPrefix(line, "{"):
		j.Torn++
	}
}
