package faults

import "slices"

// Accounts of the mailed records.
const (
	RecordUntold  = "a record to be mailed, and in no mail"
	RecordAgain   = "a record in two mails"
	RecordUnasked = "a record mailed that was not to be"
	CountedWrong  = "a number of records mailed, and no such records"
)

// Mailed is the book of the log records that are mailed: each of those that are marked and that were stored is in one mail
// of its host's receiver, and no other record is in any. A mail that came twice, under one Message-ID, is one.
//
// Of a host that has too many of them waiting the server mails the number instead, and says so: so many of its records may be
// in no mail.
type Mailed struct {
	Letters []Letter
	Hosts   map[string]string // a receiver's host
	Rows    []RecordRow
	Marked  map[string][]int // by host: the lines that are to be mailed
}

// Balance implements Book.
func (b Mailed) Balance() Balance {
	l := newLedger("mailed records", RecordUntold, RecordAgain, RecordUnasked, CountedWrong)
	due := make(map[HostLine]int) // how often each was told
	for _, r := range b.Rows {
		record := HostLine{r.Host, r.Line}
		if _, known := due[record]; !known && slices.Contains(b.Marked[r.Host], r.Line) {
			due[record] = 0
		}
	}
	l.balance.Entries = len(due)
	counted := b.tell(l, due)
	untold := make(map[string][]int)
	for record, n := range due {
		if n == 0 {
			untold[record.Host] = append(untold[record.Host], record.Line)
		}
		for range n - 1 {
			l.loss(RecordAgain, "%s, line %d", record.Host, record.Line)
		}
	}
	sum := 0
	for _, host := range b.Hosts {
		lines := untold[host]
		slices.Sort(lines)
		n := min(counted[host], len(lines))
		sum += n
		for _, line := range lines[n:] {
			l.loss(RecordUntold, "%s, one of the lines %v, of which %d were counted: %d", host, lines, n, line)
		}
		if counted[host] > n {
			l.loss(CountedWrong, "%s: mails count %d records, and %d are in no mail", host, counted[host], n)
		}
		delete(untold, host)
	}
	for host, lines := range untold {
		l.loss(RecordUntold, "%s, which has no receiver: lines %v", host, lines)
	}
	if sum > 0 {
		l.note("%d records were too many to be kept for a mail: mails say how many", sum)
	}
	l.sort()
	return l.balance
}

// tell counts how often each record is in the letters, each Message-ID once, and returns how many more they count, by host.
func (b Mailed) tell(l *ledger, due map[HostLine]int) (counted map[string]int) {
	counted = make(map[string]int)
	seen := make(map[string]bool)
	for _, letter := range b.Letters {
		if seen[letter.To+" "+letter.ID] {
			continue
		}
		seen[letter.To+" "+letter.ID] = true
		host := b.Hosts[letter.To]
		for _, record := range letter.Records {
			_, known := due[record]
			if !known || record.Host != host {
				l.loss(RecordUnasked, "to %s: line %d of %s", letter.To, record.Line, record.Host)
				continue
			}
			due[record]++
		}
		if letter.Counted > 0 {
			counted[host] += letter.Counted
		}
	}
	if n := counted[""]; n > 0 {
		l.loss(CountedWrong, "mails to receivers of no host count %d records", n)
	}
	return counted
}
