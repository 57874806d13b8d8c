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
	if len(d.Raised)+len(d.Ended) == 1 {
		return "[muster] " + single(d)
	}
	text := "[muster] " + headline(len(d.Raised), len(d.Ended)) + ": "
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
	if len(d.Ended) == 1 {
		i := d.Ended[0]
		if i.Statistic == report.VisitFailed {
			return report.Visible("over: visits of "+i.Host+" failed", maxSubject-9)
		}
		return report.Visible(fmt.Sprintf("over: %s: %s (%s)", i.Host, series(i), i.Limit), maxSubject-9)
	}
	i := d.Raised[0]
	if i.Statistic == report.VisitFailed {
		return report.Visible(i.Host+" can't be visited: "+i.Text, maxSubject-9)
	}
	return report.Visible(fmt.Sprintf("%s: %s %s (%s)", i.Host, series(i), report.FormatValue(i.Value, i.Unit), i.Limit),
		maxSubject-9)
}

func series(i Item) string { return strings.TrimSuffix(i.Statistic+" "+i.Instance, " ") }

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
	return names
}

// headline returns "3 alerts, 1 over".
func headline(raised, ended int) string {
	switch {
	case ended == 0:
		return count(raised, "alert")
	case raised == 0:
		return fmt.Sprint(ended, " over")
	}
	return fmt.Sprintf("%s, %d over", count(raised, "alert"), ended)
}

// count returns "1 host", "2 hosts".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprint(n, " ", noun, "s")
}
