package mail

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"muster/internal/report"
)

// Bounds of what a mail shows, in rows and characters. What host and network say is cut at these.
const (
	maxRows  = 200 // of each section
	maxName  = 64  // of a host, a group, an instance, a statistic
	maxPath  = 44  // of the name of a limit on a file's records, where its path can be shortened to it
	maxWords = 600 // of a failure
	maxEnd   = 450 // of a failure that is longer: at its end it says what to do
)

// page is a digest as its two templates show it. All of its text is printable.
type page struct {
	Headline string
	Sweep    string // time
	Visited  string // "60 hosts, 2 of them failed"
	Ongoing  string // empty: none
	Sections []section
	Why      string // the mail was sent
}

// section is what was raised, what is over, or log records.
type section struct {
	Title   string
	Over    bool
	Records bool
	Groups  []group
	More    string // what is not shown, and where it is; empty: all is shown
}

// group is the rows of one limit.
type group struct {
	Title string
	Limit string
	Count int
	Rows  []row
	More  string // how many rows are not shown; empty: none

	items []Item
}

// row is one alert.
type row struct {
	Host, Instance, Groups string
	Value                  string // empty where the number says nothing
	When                   string // "since 2026-03-01 11:52 (8m)"
	Words                  string
}

func pageOf(d Digest) page {
	p := page{
		Headline: headline(len(d.Raised), len(d.Ended), d.RecordCount()),
		Sweep:    clock(d.Sweep),
		Visited:  count(d.Hosts, "host"),
	}
	if d.Failed > 0 {
		p.Visited += fmt.Sprintf(", %d of them could not be visited", d.Failed)
	}
	switch {
	case d.Ongoing == 1:
		p.Ongoing = "1 alert raised before goes on: muster status shows it."
	case d.Ongoing > 1:
		p.Ongoing = fmt.Sprintf("%d alerts raised before go on: muster status shows them.", d.Ongoing)
	}
	if len(d.Raised) > 0 {
		s := sectionOf(d.Raised, d.Now, "muster status shows them")
		s.Title = "Exceeded"
		p.Sections = append(p.Sections, s)
	}
	if len(d.Ended) > 0 {
		s := sectionOf(d.Ended, d.Now, "the table alerts in the database has them")
		s.Title, s.Over = "Over", true
		p.Sections = append(p.Sections, s)
	}
	p.Why = "because a limit in its configuration is exceeded, or no longer is"
	if len(d.Records) > 0 {
		p.Sections = append(p.Sections, recordSection(d.Records))
		if len(d.Raised)+len(d.Ended) == 0 {
			p.Why = "because its configuration has these log records mailed"
		} else {
			p.Why += ", and has these log records mailed"
		}
	}
	return p
}

// sectionOf groups sorted items by limit, and shows rows of each group until maxRows are shown.
func sectionOf(items []Item, now time.Time, elsewhere string) section {
	var groups []group
	for i, item := range items {
		if i == 0 || item.Statistic != items[i-1].Statistic || item.Limit != items[i-1].Limit {
			groups = append(groups, groupOf(item))
		}
		g := &groups[len(groups)-1]
		g.items = append(g.items, item)
		g.Count++
	}
	shown := 0
	for i, n := range share(groups, maxRows) {
		g := &groups[i]
		for _, item := range g.items[:n] {
			g.Rows = append(g.Rows, rowOf(item, now))
		}
		if n > 0 && n < g.Count {
			g.More = fmt.Sprintf("and %d more", g.Count-n)
		}
		shown += n
	}
	s := section{Groups: groups[:min(len(groups), maxRows)]}
	if hidden := len(items) - shown; hidden > 0 {
		s.More = fmt.Sprintf("Not in this mail: %d more; %s.", hidden, elsewhere)
	}
	return s
}

// share divides rows among groups so that a large one does not hide the small ones: each gets an equal share, and what
// one doesn't need goes to the others.
func share(groups []group, rows int) []int {
	shares := make([]int, len(groups))
	for rows > 0 {
		hungry := 0
		for i, g := range groups {
			if shares[i] < g.Count {
				hungry++
			}
		}
		if hungry == 0 {
			break
		}
		each := max(rows/hungry, 1)
		for i, g := range groups {
			more := min(each, g.Count-shares[i], rows)
			shares[i] += more
			rows -= more
		}
	}
	return shares
}

func groupOf(i Item) group {
	if i.Statistic == report.VisitFailed {
		if i.Ended.IsZero() {
			return group{Title: "Hosts that can't be visited"}
		}
		return group{Title: "Hosts that could not be visited"}
	}
	if i.Statistic == report.LogsMatches {
		return group{Title: "Log records", Limit: report.Visible(i.Limit, maxName)}
	}
	return group{Title: report.Visible(i.Statistic, maxName), Limit: report.Visible(i.Limit, maxName)}
}

// instanceOf returns an instance as a row shows it.
func instanceOf(i Item) string {
	if i.Statistic != report.LogsMatches {
		return report.Visible(i.Instance, maxName)
	}
	short := report.ShortChannel(report.Visible(i.Instance, 0), maxPath, utf8.RuneCountInString)
	return report.Visible(short, maxName)
}

func rowOf(i Item, now time.Time) row {
	r := row{
		Host:     report.Visible(i.Host, maxName),
		Instance: instanceOf(i),
		Groups:   report.Visible(i.Groups, maxName),
		Words:    words(i.Text),
	}
	if i.Statistic != report.VisitFailed {
		r.Value = report.FormatValue(i.Value, i.Unit)
	}
	if i.Since.IsZero() {
		return r
	}
	if i.Ended.IsZero() {
		r.When = "since " + clock(i.Since)
		// A row that was raised in this sweep shows when, which is now: how long adds nothing.
		if length := now.Sub(i.Since); length >= time.Minute {
			r.When += " (" + duration(length) + ")"
		}
		return r
	}
	if i.Statistic != report.VisitFailed && i.Statistic != report.LogsMatches && r.Words != "" {
		// It did not end by its value, which is thus not the one that is well again.
		r.Words += "; it was " + r.Value
		r.Value = ""
	}
	r.When = "until " + clock(i.Ended)
	if length := i.Ended.Sub(i.Since); length >= time.Second {
		r.When = "lasted " + duration(length) + ", " + r.When
	}
	return r
}

// words returns what a failure says. What is too long is cut in the middle: it begins with what went wrong, and ends with
// what to do about it, which must be read whole.
func words(text string) string {
	shown := []rune(report.Visible(strings.Join(strings.Fields(text), " "), 0))
	if len(shown) <= maxWords {
		return string(shown)
	}
	begin, end := string(shown[:maxWords-maxEnd-3]), string(shown[len(shown)-maxEnd:])
	return strings.TrimRight(begin, " ") + " … " + strings.TrimLeft(end, " ")
}

// duration returns a length in its two largest parts, without seconds from a minute on.
func duration(length time.Duration) string {
	if length >= time.Minute {
		length = length.Truncate(time.Minute)
	}
	return report.FormatValue(length.Truncate(time.Second).Seconds(), "s")
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
