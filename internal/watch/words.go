package watch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"muster/internal/events"
	"muster/internal/report"
)

const (
	shownRecords = 3   // in an alert's words
	shownOrigins = 3   // addresses there, and accounts
	shownWords   = 120 // characters of each record there
	shownName    = 64  // characters of a source, a user or an address
	mailedWords  = 400 // characters of a record that is mailed
)

// words says when the records were that exceeded a limit, what the last of them say, and of logons where more than these came
// from. How many they are, and of which, stands with the alert already. Of those that came before now, with another entry, no
// more is known than their times.
func words(channel string, most burst, records []*report.Record) string {
	var within []*report.Record
	for _, r := range records {
		if at := r.Time.UnixMilli(); most.first.UnixMilli() <= at && at <= most.last.UnixMilli() {
			within = append(within, r)
		}
	}
	parts := []string{fmt.Sprintf("%s to %s UTC", most.first.Format("2006-01-02 15:04:05"), most.last.Format("15:04:05"))}
	last := within[max(0, len(within)-shownRecords):]
	if len(last) < len(within) {
		origins := originsOf(channel, within)
		if len(origins) > 0 && len(within) < most.n {
			origins[0] = fmt.Sprintf("the %d that came last %s", len(within), origins[0])
		}
		parts = append(parts, origins...)
	}
	lines := make([]string, len(last))
	for i, record := range last {
		lines[i] = report.Visible(wordsOf(record), shownWords)
	}
	return strings.Join(append(parts, "the last: "+strings.Join(lines, " | ")), "; ")
}

// originsOf says of those records that are logons from where they came and to which accounts, the most frequent first; nothing
// where none says it. Addresses stand first: what follows may hold names that strangers have chosen.
func originsOf(channel string, records []*report.Record) (parts []string) {
	addresses, accounts := tally{}, tally{}
	for _, r := range records {
		if l, ok := events.LogonOf(channel, r); ok {
			addresses.add(l.Address)
			accounts.add(l.User)
		}
	}
	if len(addresses) > 0 {
		parts = append(parts, "by address: "+addresses.String())
	}
	if len(accounts) > 0 {
		parts = append(parts, "by account: "+accounts.String())
	}
	return parts
}

// tally is how often there was each of some names.
type tally map[string]int

// add counts a name, if it is one.
func (t tally) add(name string) {
	if name != "" {
		t[name]++
	}
}

// String returns the most frequent names with their numbers, and how many others there are.
func (t tally) String() string {
	names := slices.SortedFunc(maps.Keys(t), func(a, b string) int { return cmp.Or(cmp.Compare(t[b], t[a]), cmp.Compare(a, b)) })
	shown := make([]string, 0, shownOrigins)
	for _, name := range names[:min(len(names), shownOrigins)] {
		shown = append(shown, fmt.Sprintf("%s (%d)", report.Visible(name, shownName), t[name]))
	}
	text := strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// wordsOf says of a record when it was, what it is, and what is in it.
func wordsOf(r *report.Record) string {
	parts := []string{r.Time.UTC().Format("15:04:05")}
	if r.Event != 0 {
		parts = append(parts, fmt.Sprint(r.Event))
	}
	if r.Source != "" {
		parts = append(parts, report.Visible(r.Source, shownName)+":")
	}
	return strings.Join(append(parts, contentOf(r, shownWords)), " ")
}

// contentOf returns what a record says, as one line of at most so many characters.
func contentOf(r *report.Record, most int) string { return report.Visible(events.Describe(r), most) }

// mailedRecord returns what is mailed of a record, no longer than it is shown.
func mailedRecord(r *report.Record) *report.Record {
	return &report.Record{
		ID: r.ID, Time: r.Time.UTC(), Level: r.Level, Event: r.Event, Source: report.Visible(r.Source, shownName),
		User: report.Visible(r.User, shownName), Message: contentOf(r, mailedWords),
	}
}
