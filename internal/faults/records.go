package faults

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
)

// Lined is what a host writes to its log, followed by the line's number.
const Lined = "record number "

// Accounts of the log records.
const (
	LineLost    = "a line lost, and no gap"
	LineTwice   = "a line stored twice"
	LineUnknown = "a line that its host never wrote"
	GapInvented = "a gap where nothing was gone"
)

// RecordRow is a log record as it is stored.
type RecordRow struct {
	Host      string
	Epoch, ID int64
	Line      int // its number; 0: it has none
}

// HostLine is a line of a host's log.
type HostLine struct {
	Host string
	Line int // its number; 0: it has none
}

// LineOf returns the number of a line of a host's log; 0 where it has none.
func LineOf(message string) int {
	found := regexp.MustCompile(regexp.QuoteMeta(Lined) + `(\d+)$`).FindStringSubmatch(message)
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		return 0
	}
	return n
}

// GapRow is a gap as it is stored.
type GapRow struct {
	Host               string
	Epoch, First, Last int64 // Last is 0 where it is not known: the gap goes to the end of its epoch
}

// Records is the book of the log records: every line that a host wrote is stored once, but those that it destroyed before
// they were read, and these are a gap. A gap may hold lines that are stored: a server that was killed had handed them over, and
// the next one, which did not know that, found them gone. There is one exception, which is noted: a file that came and was
// cleared between two visits, so that nobody knows of it. Whether a visit saw it the book can't tell: it takes each of which
// nothing was read for one. Hosts number their lines from 1 on; the numbers of epochs grow.
type Records struct {
	Rows    []RecordRow
	Gaps    []GapRow
	Written map[string]int     // by host: the number of its last line
	Cleared map[string][]Lines // by host: the lines that it cleared, each time; where there were none Last is First - 1
}

// Lines are those of a host's log from First to Last.
type Lines struct{ First, Last int }

// Balance implements Book.
func (b Records) Balance() Balance {
	l := newLedger("log records", LineLost, LineTwice, LineUnknown, GapInvented)
	for host, written := range b.Written {
		l.balance.Entries += written
		b.host(l, host)
	}
	for _, r := range b.Rows {
		if _, known := b.Written[r.Host]; !known {
			l.loss(LineUnknown, "%s, which has no log: record %d of epoch %d", r.Host, r.ID, r.Epoch)
		}
	}
	l.sort()
	return l.balance
}

func (b Records) host(l *ledger, host string) {
	var rows []RecordRow
	for _, r := range b.Rows {
		switch {
		case r.Host != host:
		case r.Line < 1 || r.Line > b.Written[host]:
			l.loss(LineUnknown, "%s, record %d of epoch %d: line %d of %d", host, r.ID, r.Epoch, r.Line, b.Written[host])
		default:
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(x, y RecordRow) int {
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Epoch, y.Epoch), cmp.Compare(x.ID, y.ID))
	})
	// Between each two rows, before the first and after the last, there may be lines that are gone, and gaps.
	before := RecordRow{}
	justified := make(map[GapRow]bool)
	for _, r := range append(rows, RecordRow{Epoch: 1<<63 - 1, Line: b.Written[host] + 1}) {
		if r.Line == before.Line {
			l.loss(LineTwice, "%s, line %d: records %d of epoch %d and %d of %d", host, r.Line, before.ID, before.Epoch, r.ID, r.Epoch)
			continue
		}
		b.between(l, host, before, r, justified)
		before = r
	}
	for _, g := range b.Gaps {
		if g.Host == host && !justified[g] {
			l.loss(GapInvented, "%s, epoch %d, from record %d to %d", host, g.Epoch, g.First, g.Last)
		}
	}
}

// between looks at what there is between two rows that follow each other, and notes the gaps that are there with reason.
func (b Records) between(l *ledger, host string, before, after RecordRow, justified map[GapRow]bool) {
	first, last := before.Line+1, after.Line-1
	cleared := false // the log was, after the one row was read or might have been, and before the other was written
	known := false   // and the file that was cleared is the one that holds the row
	destroyed := make([]bool, max(0, last-first+1))
	for _, c := range b.Cleared[host] {
		cleared = cleared || before.Line <= c.Last && c.Last < after.Line
		known = known || c.First <= before.Line && before.Line <= c.Last && c.Last < after.Line
		if c.Last >= after.Line {
			continue // what was read of it was read from its beginning
		}
		for line := max(first, c.First); line <= min(last, c.Last); line++ {
			destroyed[line-first] = true
		}
	}
	gaps := 0
	for _, g := range b.Gaps {
		if g.Host == host && g.reaches(before, after) {
			gaps++
			justified[g] = justified[g] || cleared
		}
	}
	switch at := slices.Index(destroyed, false); {
	case last < first:
	case at >= 0:
		l.loss(LineLost, "%s, lines %d to %d, of which nobody cleared %d", host, first, last, first+at)
	case gaps == 0 && !known:
		l.note("%s, lines %d to %d: cleared before anything of their file was read", host, first, last)
	case gaps == 0:
		l.loss(LineLost, "%s, lines %d to %d, which were cleared", host, first, last)
	}
}

// reaches reports whether some of a gap is between two rows that follow each other.
func (g GapRow) reaches(before, after RecordRow) bool {
	if !earlier(g, before) {
		return earlier(g, after)
	}
	return g.Epoch == before.Epoch && (g.Last == 0 || g.Last > before.ID)
}

// earlier reports whether a gap is before a row.
func earlier(g GapRow, r RecordRow) bool {
	return cmp.Or(cmp.Compare(g.Epoch, r.Epoch), cmp.Compare(g.First, r.ID)) <= 0
}
