package mail

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"muster/internal/report"
)

// maxSubject is how many characters of a subject are used: about what a mailbox shows.
const maxSubject = 100

// subject says the most that fits: of one alert what it is, of several how many and on which hosts.
func subject(d Digest) string {
	if len(d.Raised)+len(d.Ended)+d.RecordCount() == 1 {
		return "[muster] " + single(d)
	}
	text := "[muster] " + headline(len(d.Raised), len(d.Ended), d.RecordCount()) + ": "
	names := hosts(d)
	for i, name := range names {
		if i > 0 {
			name = ", " + name
		}
		rest := 0
		if i < len(names)-1 {
			rest = len(" …")
		}
		if utf8.RuneCountInString(text)+utf8.RuneCountInString(name)+rest > maxSubject {
			return strings.TrimRight(text, " ") + " …"
		}
		text += name
	}
	return text
}

func single(d Digest) string {
	if len(d.Records) == 1 {
		r := d.Records[0]
		return report.Visible(fmt.Sprintf("%s: %s %s", r.Host, recordTitle(r), r.Record.Message), maxSubject-9)
	}
	if len(d.Ended) == 1 {
		i := d.Ended[0]
		if i.Statistic == report.VisitFailed {
			return report.Visible("over: visits of "+i.Host+" failed", maxSubject-9)
		}
		return report.Visible(fmt.Sprintf("over: %s: %s (%s)", i.Host, series(i), i.Limit), maxSubject-9)
	}
	i := d.Raised[0]
	switch i.Statistic {
	case report.VisitFailed:
		return report.Visible(i.Host+" can't be visited: "+i.Text, maxSubject-9)
	case report.LogsMatches:
		return report.Visible(fmt.Sprintf("%s: %s of %s (%s)", i.Host, count(int(i.Value), "record"), i.Instance, i.Limit), maxSubject-9)
	}
	return report.Visible(fmt.Sprintf("%s: %s %s (%s)", i.Host, series(i), report.FormatValue(i.Value, i.Unit), i.Limit),
		maxSubject-9)
}

func series(i Item) string {
	if i.Statistic == report.LogsMatches {
		return "records of " + i.Instance
	}
	return strings.TrimSuffix(i.Statistic+" "+i.Instance, " ")
}

// hosts returns the names of the digest's hosts, each once, those with raised alerts first.
func hosts(d Digest) []string {
	var names []string
	known := map[string]bool{}
	for _, items := range [][]Item{d.Raised, d.Ended} {
		for _, i := range items {
			if !known[i.Host] {
				known[i.Host] = true
				names = append(names, report.Visible(i.Host, maxName))
			}
		}
	}
	for _, r := range d.Records {
		if !known[r.Host] {
			known[r.Host] = true
			names = append(names, report.Visible(r.Host, maxName))
		}
	}
	return names
}

// headline returns "3 alerts, 1 over, 2 log records".
func headline(raised, ended, records int) string {
	var parts []string
	if raised > 0 {
		parts = append(parts, count(raised, "alert"))
	}
	if ended > 0 {
		parts = append(parts, fmt.Sprint(ended, " over"))
	}
	if records > 0 {
		parts = append(parts, count(records, "log record"))
	}
	return strings.Join(parts, ", ")
}

// count returns "1 host", "2 hosts".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprint(n, " ", noun, "s")
}
