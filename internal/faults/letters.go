package faults

import (
	"slices"
	"time"
)

// Accounts of the letters.
const (
	NotTold     = "raised, and nobody was told"
	NotToldOver = "over, and nobody was told"
	ToldTwice   = "told twice, or of nothing"
)

// Letters is the book of the mails: each alert that was raised was told, and so was its end, and nothing twice unless the
// mail itself came twice, under one Message-ID.
//
// An alert that was over before anybody could be told that it was raised is told by the mail that says it is over; how
// many there were is a note. The times of an alert that the server's clock jumped under may be others in the mail than in
// the database: of such alerts only the number is compared.
//
// Log records that are mailed have a book of their own: [Mailed].
type Letters struct {
	Letters    []Letter
	Alerts     []AlertRow
	Hosts      map[string]string // a receiver's host; mails to others are passed over, and alerts of other hosts
	Statistics []string          // likewise: of the bench's own limits
	Clock      Clock
}

// ours tells whether somebody is to be told of an alert.
func (b Letters) ours(a AlertRow) bool {
	if a.Raised.IsZero() || !slices.Contains(b.Statistics, a.Statistic) {
		return false
	}
	for _, host := range b.Hosts {
		if host == a.Host {
			return true
		}
	}
	return false
}

// told is what a mention is of.
type told struct {
	host, statistic string
	over            bool
	minute          string // empty: whenever
}

// Balance implements Book.
func (b Letters) Balance() Balance {
	l := newLedger("mails", NotTold, NotToldOver, ToldTwice)
	mentions := b.mentions(l)
	alerts := slices.DeleteFunc(slices.Clone(b.Alerts), func(a AlertRow) bool { return !b.ours(a) })
	slices.SortFunc(alerts, func(a, b AlertRow) int { return a.Since.Compare(b.Since) })
	late, jumped := make(map[told]int), make(map[told]int)
	for _, a := range alerts {
		l.balance.Entries++
		raised := told{a.Host, a.Statistic, false, a.Since.UTC().Format(minutes)}
		ended := told{a.Host, a.Statistic, true, a.Ended.UTC().Format(minutes)}
		if !b.Clock.trustedSpan(a.Since, a.Ended) {
			if !mentions.take(raised) {
				jumped[told{a.Host, a.Statistic, false, ""}]++
			}
			if !a.Ended.IsZero() && !mentions.take(ended) {
				jumped[told{a.Host, a.Statistic, true, ""}]++
			}
			continue
		}
		heard := a.Ended.IsZero() || mentions.take(ended)
		if !heard {
			l.loss(NotToldOver, "%s %s until %s", a.Host, a.Statistic, ended.minute)
		}
		switch {
		case mentions.take(raised):
		case heard && !a.Ended.IsZero():
			late[told{a.Host, a.Statistic, false, ""}]++
		default:
			l.loss(NotTold, "%s %s since %s", a.Host, a.Statistic, raised.minute)
		}
	}
	b.rest(l, mentions, jumped, late)
	l.sort()
	sum := 0
	for _, n := range late {
		sum += n
	}
	if sum > 0 {
		l.note("%d alerts were over before the mail that they had begun could be sent: one mail told both", sum)
	}
	return l.balance
}

// rest compares what is left of the mentions with the alerts under which the clock jumped, by their number. A mail may also
// have told of a time to which the clock had jumped, and the alert's begin have been put back long after that: such a mention
// is that of an alert of which no begin was told otherwise, and is taken off late.
func (b Letters) rest(l *ledger, mentions tally, jumped, late map[told]int) {
	left := make(map[told]int)
	for m, n := range mentions {
		whenever := told{m.host, m.statistic, m.over, ""}
		if jumped[whenever] > 0 {
			left[whenever] += n
			continue
		}
		for range n {
			if b.elsewhere(m.minute) && late[whenever] > 0 {
				late[whenever]--
				continue
			}
			l.loss(ToldTwice, "%s %s, %s %s", m.host, m.statistic, m.phase(), m.minute)
		}
	}
	for m, n := range jumped {
		end := told{m.host, m.statistic, true, ""}
		put := max(0, min(left[m]-n, late[m]))
		late[m] -= put
		for range left[m] - n - put {
			l.loss(ToldTwice, "%s %s, %s while the clock jumped", m.host, m.statistic, m.phase())
		}
		for range n - left[m] {
			switch {
			case m.over:
				l.loss(NotToldOver, "%s %s while the clock jumped", m.host, m.statistic)
			case left[end] < jumped[end]: // otherwise the mail that it is over told both
				l.loss(NotTold, "%s %s while the clock jumped", m.host, m.statistic)
			}
		}
	}
}

// elsewhere tells whether a minute is of a time to which the clock jumped: jumps go further than the run is long.
func (b Letters) elsewhere(minute string) bool {
	at, err := time.Parse(minutes, minute)
	return err == nil && len(b.Clock.Jumps) > 0 && (at.After(b.Clock.Run.To) || at.Add(time.Minute).Before(b.Clock.Run.From))
}

// phase is what was told.
func (t told) phase() string {
	if t.over {
		return "until"
	}
	return "since"
}

// tally counts mentions.
type tally map[told]int

// take takes one off; false if there is none.
func (t tally) take(m told) bool {
	if t[m] == 0 {
		return false
	}
	t[m]--
	return true
}

// mentions counts what the letters tell, each Message-ID once.
func (b Letters) mentions(l *ledger) tally {
	counted := make(tally)
	seen := make(map[string]bool)
	repeated := 0
	for _, letter := range b.Letters {
		host, ours := b.Hosts[letter.To]
		if !ours {
			continue
		}
		if seen[letter.ID] {
			repeated++
			continue
		}
		seen[letter.ID] = true
		for _, m := range letter.Mentions {
			if slices.Contains(b.Statistics, m.Statistic) {
				counted[told{host, m.Statistic, m.Over, m.Minute}]++
			}
		}
	}
	if repeated > 0 {
		l.note("%d mails came a second time with the same Message-ID: a fault struck between the mail server's taking and its answer", repeated)
	}
	return counted
}
