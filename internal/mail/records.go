package mail

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"muster/internal/report"
)

// maxRecords is how many log records a mail shows.
const maxRecords = 100

// Record is a log record that is mailed as such, or a number of them that nobody kept.
type Record struct {
	Notice  string // what tells it from any other; goes into the message's ID
	Host    string
	Groups  string // "web/front"
	Channel string
	More    int           // so many records of the host were not kept, and Record is empty; 0: it is one
	Record  report.Record // its Message is what is shown of it
}

// RecordCount returns how many log records the digest tells of, those included that nobody kept.
func (d *Digest) RecordCount() int {
	n := 0
	for i := range d.Records {
		n += max(d.Records[i].More, 1)
	}
	return n
}

// sortedRecords returns the records by channel, event, source, time, host and id, those that nobody kept last.
func sortedRecords(records []Record) []Record {
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b Record) int {
		if (a.More > 0) != (b.More > 0) {
			return min(a.More, 1) - min(b.More, 1)
		}
		if order := strings.Compare(a.Channel, b.Channel); order != 0 {
			return order
		}
		if a.Record.Event != b.Record.Event {
			return int(max(-1, min(1, a.Record.Event-b.Record.Event)))
		}
		if order := strings.Compare(a.Record.Source, b.Record.Source); order != 0 {
			return order
		}
		if order := a.Record.Time.Compare(b.Record.Time); order != 0 {
			return order
		}
		return strings.Compare(a.Host+"\x00"+a.Notice, b.Host+"\x00"+b.Notice)
	})
	return records
}

// recordSection shows sorted records: those of one channel, event and source are a group.
func recordSection(records []Record) section {
	s := section{Title: "Log records", Records: true}
	kept := len(records)
	if i := slices.IndexFunc(records, func(r Record) bool { return r.More > 0 }); i >= 0 {
		kept = i
	}
	var groups []group
	var first []int // the first record of each group
	for i, r := range records[:kept] {
		if i == 0 || !alike(r, records[i-1]) {
			groups = append(groups, recordGroup(r))
			first = append(first, i)
		}
		groups[len(groups)-1].Count++
	}
	shown := 0
	for i, n := range share(groups, maxRecords) {
		g := &groups[i]
		for _, r := range records[first[i] : first[i]+n] {
			g.Rows = append(g.Rows, recordRow(r))
		}
		if n > 0 && n < g.Count {
			g.More = fmt.Sprintf("and %d more", g.Count-n)
		}
		shown += n
	}
	s.Groups = groups[:min(len(groups), maxRecords)]
	unkept := map[string]int{}
	hidden := kept - shown
	for _, r := range records[kept:] {
		hidden += r.More
		unkept[r.Host] += r.More
	}
	if hidden > 0 {
		s.More = fmt.Sprintf("Not in this mail: %s%s; muster logs shows them.", count(hidden, "more log record"), ofHosts(unkept))
	}
	return s
}

// ofHosts names the three hosts with the most records that were not kept.
func ofHosts(records map[string]int) string {
	names := slices.Collect(maps.Keys(records))
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(records[b], records[a]), strings.Compare(a, b))
	})
	text := ""
	for i, name := range names[:min(len(names), 3)] {
		text += []string{", among them ", ", ", ", "}[i] + fmt.Sprintf("%d of %s", records[name], report.Visible(name, maxName))
	}
	return text
}

func alike(a, b Record) bool {
	return a.Channel == b.Channel && a.Record.Event == b.Record.Event && a.Record.Source == b.Record.Source
}

func recordGroup(r Record) group {
	return group{Title: recordTitle(r), Limit: report.Visible(r.Record.Source, maxName)}
}

// recordTitle names the kind of a record: "Security 1102".
func recordTitle(r Record) string {
	title := report.Visible(r.Channel, maxName)
	if r.Record.Event != 0 {
		title += fmt.Sprint(" ", r.Record.Event)
	}
	return title
}

func recordRow(r Record) row {
	return row{
		Host: report.Visible(r.Host, maxName), Instance: report.Visible(r.Record.User, maxName),
		Groups: report.Visible(r.Groups, maxName), Value: report.Visible(string(r.Record.Level), maxName),
		When: r.Record.Time.UTC().Format("2006-01-02 15:04:05"), Words: words(r.Record.Message),
	}
}
