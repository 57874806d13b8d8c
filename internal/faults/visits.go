package faults

import (
	"regexp"
	"strconv"
	"time"
)

// Numbered is what a host writes on the client's standard error before each run, followed by the run's number.
const Numbered = "report number "

// Accounts of the visits.
const (
	NotStored       = "acknowledged and not stored"
	StoredTwice     = "stored twice"
	NumberTwice     = "a host's report under two visits"
	NumberUnknown   = "a report that its host never made"
	StoredInPart    = "stored in part"
	StatisticsAlone = "statistics of no visit"
)

// VisitRow is a visit as it is stored.
type VisitRow struct {
	Host       string
	Visit      string
	Sweep      int64 // milliseconds since 1970
	Started    time.Time
	Outcome    string // ok, failed, skipped
	Kind       string // of a failure
	Log        string
	Exceeded   []string // statistics of it that exceed a limit of the bench
	Statistics int      // stored for its host and sweep
}

// numbers returns the numbers that the host gave the runs of a visit.
func (r *VisitRow) numbers() []int {
	var numbers []int
	for _, found := range regexp.MustCompile(regexp.QuoteMeta(Numbered)+`(\d+)`).FindAllStringSubmatch(r.Log, -1) {
		if n, err := strconv.Atoi(found[1]); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// Visits is the book of the visits: what was acknowledged is stored, once, in full.
type Visits struct {
	Acks   []Ack
	Rows   []VisitRow
	Handed map[string]int // by host that numbers its reports: the last number
	Alone  []string       // statistics for whose host and sweep there is no visit that succeeded
}

// Balance implements Book.
func (b Visits) Balance() Balance {
	l := newLedger("visits", NotStored, StoredTwice, NumberTwice, NumberUnknown, StoredInPart, StatisticsAlone)
	l.balance.Entries = len(b.Acks)
	stored := make(map[string][]int, len(b.Rows)) // row by visit
	for i := range b.Rows {
		stored[b.Rows[i].Visit] = append(stored[b.Rows[i].Visit], i)
	}
	acknowledged := make(map[string]bool, len(b.Acks))
	for _, a := range b.Acks {
		acknowledged[a.Visit] = true
		rows := stored[a.Visit]
		if len(rows) == 0 {
			l.loss(NotStored, "%s, visit %s, sweep %s", a.Host, a.Visit, a.Sweep.Format(time.RFC3339Nano))
			continue
		}
		if row := b.Rows[rows[0]]; a.Statistics >= 0 && row.Statistics != a.Statistics {
			l.loss(StoredInPart, "%s, visit %s: %d of %d statistics", a.Host, a.Visit, row.Statistics, a.Statistics)
		}
	}
	early := 0
	for visit, rows := range stored {
		row := b.Rows[rows[0]]
		if len(rows) > 1 {
			l.loss(StoredTwice, "%s, visit %s: %d times", row.Host, visit, len(rows))
		}
		if acknowledged[visit] {
			continue
		}
		early++
		if row.Outcome == "ok" && row.Statistics == 0 {
			l.loss(StoredInPart, "%s, visit %s: none of its statistics", row.Host, visit)
		}
	}
	b.number(l)
	for _, alone := range b.Alone {
		l.loss(StatisticsAlone, "%s", alone)
	}
	if early > 0 {
		l.note("%d visits are stored whose acknowledgement was not logged: the server died between the two", early)
	}
	l.sort()
	return l.balance
}

// number compares the numbers that hosts gave with those that are stored.
func (b Visits) number(l *ledger) {
	type run struct {
		host   string
		number int
	}
	seen := make(map[run]string)
	for _, row := range b.Rows {
		last, numbers := b.Handed[row.Host]
		if !numbers {
			continue
		}
		found := row.numbers()
		if row.Outcome == "ok" && len(found) == 0 {
			l.loss(NumberUnknown, "%s, visit %s has no number", row.Host, row.Visit)
		}
		for _, n := range found {
			if n < 1 || n > last {
				l.loss(NumberUnknown, "%s, visit %s: number %d of %d", row.Host, row.Visit, n, last)
			}
			if other, twice := seen[run{row.Host, n}]; twice && other != row.Visit {
				l.loss(NumberTwice, "%s, number %d: visits %s and %s", row.Host, n, other, row.Visit)
			}
			seen[run{row.Host, n}] = row.Visit
		}
	}
}
