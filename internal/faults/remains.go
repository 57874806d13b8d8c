package faults

import "fmt"

// Accounts of what is left behind.
const (
	FilesLeft     = "files on hosts beside the client"
	ProcessesLeft = "processes on hosts"
	Grown         = "grown"
	Crashed       = "panics and races in the log"
	Believed      = "a lie that was stored as a report"
	Disbelieved   = "a report that was refused"
)

// Remains is the book of what visits leave on their hosts.
type Remains struct {
	Hosts     int
	Files     []string // beside one client a host
	Processes []string
}

// Balance implements Book.
func (b Remains) Balance() Balance {
	l := newLedger("hosts", FilesLeft, ProcessesLeft)
	l.balance.Entries = b.Hosts
	for _, f := range b.Files {
		l.loss(FilesLeft, "%s", f)
	}
	for _, p := range b.Processes {
		l.loss(ProcessesLeft, "%s", p)
	}
	return l.balance
}

// Gauge is what a server process holds, at rest before faults and at rest after them.
type Gauge struct {
	Name          string
	Before, After int
	Slack         int // by how much it may differ
}

// Growth is the book of the server process itself.
type Growth struct {
	Gauges  []Gauge
	Journal Journal
}

// Balance implements Book.
func (b Growth) Balance() Balance {
	l := newLedger("server", Grown, Crashed)
	l.balance.Entries = len(b.Gauges)
	for _, g := range b.Gauges {
		l.note("%s", fmt.Sprintf("%s: %d before, %d after", g.Name, g.Before, g.After))
		if g.After > g.Before+g.Slack {
			l.loss(Grown, "%s from %d to %d", g.Name, g.Before, g.After)
		}
	}
	for _, line := range b.Journal.Breaches {
		l.loss(Crashed, "%s", line)
	}
	if b.Journal.Torn > 0 {
		l.note("%d lines of the log are cut: the server died while it wrote them", b.Journal.Torn)
	}
	return l.balance
}

// Told is a report of the host that lies.
type Told struct {
	Visit string
	What  string // the lie's name
	Good  bool   // it is a report that must be taken
}

// Lies is the book of the host that lies: none of its lies is stored as a report.
type Lies struct {
	Told []Told
	Rows []VisitRow
}

// Balance implements Book.
func (b Lies) Balance() Balance {
	l := newLedger("lies", Believed, Disbelieved)
	l.balance.Entries = len(b.Told)
	rows := make(map[string]VisitRow, len(b.Rows))
	for _, row := range b.Rows {
		rows[row.Visit] = row
	}
	for _, t := range b.Told {
		row, stored := rows[t.Visit]
		switch {
		case !stored: // the book of the visits knows whether it should be
		case row.Outcome == "ok" && !t.Good:
			l.loss(Believed, "%s, visit %s", t.What, t.Visit)
		case row.Outcome == "failed" && t.Good && row.Kind == "report-invalid":
			l.loss(Disbelieved, "%s, visit %s", t.What, t.Visit)
		}
	}
	return l.balance
}
