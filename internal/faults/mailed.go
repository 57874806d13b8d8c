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
// Of a host that has more of them waiting than are kept, mails tell the number of the others instead. So as many may be in no
// mail, of a host that had so many.
type Mailed struct {
	Letters []Letter
	Hosts   map[string]string // a receiver's host
	Rows    []RecordRow
	Marked  map[string][]int // by host: the lines that are to be mailed
	Kept    int              // how many of a host the server keeps until they are mailed
}

// Balance implements Book.
func (b Mailed) Balance() Balance {
	l := newLedger("mailed records", RecordUntold, RecordAgain, RecordUnasked, CountedWrong)
	times := make(map[HostLine]int) // of those that are to be mailed: how often each was
	for _, r := range b.Rows {
		if slices.Contains(b.Marked[r.Host], r.Line) {
			times[HostLine{r.Host, r.Line}] = 0
		}
	}
	l.balance.Entries = len(times)
	counted := b.tell(l, times)
	sum := 0
	for host := range b.Marked {
		sum += b.host(l, host, times, counted[host])
		delete(counted, host)
	}
	for host, n := range counted {
		l.loss(CountedWrong, "%d of %q, which has none", n, host)
	}
	if sum > 0 {
		l.note("%d records were too many to be kept for a mail: mails say how many", sum)
	}
	l.sort()
	return l.balance
}

// tell counts how often each record is in the letters, each Message-ID once, and returns how many more they count, by host.
func (b Mailed) tell(l *ledger, times map[HostLine]int) (counted map[string]int) {
	counted = make(map[string]int)
	seen := make(map[[2]string]bool)
	for _, letter := range b.Letters {
		of := [2]string{letter.To, letter.ID}
		if seen[of] {
			continue
		}
		seen[of] = true
		host := b.Hosts[letter.To]
		for _, record := range letter.Records {
			if _, known := times[record]; !known || record.Host != host {
				l.loss(RecordUnasked, "to %s: line %d of %s", letter.To, record.Line, record.Host)
				continue
			}
			times[record]++
		}
		if letter.Counted > 0 {
			counted[host] += letter.Counted
		}
	}
	return counted
}

// host looks at the records of one host, of which mails count some, and returns how many of them are in no mail for that.
func (b Mailed) host(l *ledger, host string, times map[HostLine]int, counted int) int {
	stored := 0
	var untold []int
	for _, line := range b.Marked[host] {
		n, known := times[HostLine{host, line}]
		if !known {
			continue // it was destroyed before it was read
		}
		stored++
		if n == 0 {
			untold = append(untold, line)
		}
		for range n - 1 {
			l.loss(RecordAgain, "%s, line %d", host, line)
		}
	}
	excused := min(counted, len(untold))
	if stored <= b.Kept {
		excused = 0
	}
	slices.Sort(untold)
	for _, line := range untold[excused:] {
		l.loss(RecordUntold, "%s, line %d, or one before it: of %d in no mail, %d are counted", host, line, len(untold), counted)
	}
	if counted > excused {
		l.loss(CountedWrong, "%s: mails count %d; of the %d that are stored %d are in no mail", host, counted, stored, len(untold))
	}
	return excused
}
