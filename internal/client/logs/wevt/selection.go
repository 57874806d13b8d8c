package wevt

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"muster/internal/report"
)

// Selection is which records of a channel a query asks for. The zero value: all.
type Selection struct {
	NewestFirst bool
	Only        int64          // the record of this id alone, and nothing of what follows
	From        time.Time      // those that happened then or later
	Above       int64          // those whose ids are greater
	Filter      *report.Filter // those that it selects, and perhaps others: Match has the last word; nil: all
}

// expressions is how many expressions one XPath may have. Microsoft's documentation says 20, and that more have to be in
// selectors of their own.
const expressions = 20

// Text returns the selection as EvtQuery takes it: an XPath for the channel, or a structured query, which names its channel
// itself; then path is empty.
func (s *Selection) Text(channel string) (path, query string) {
	switch {
	case s.Only > 0:
		return channel, system(compare("EventRecordID=", s.Only))
	case s.whole():
		return "", s.Filter.XPath
	}
	selected, suppressed := s.wanted(), s.unwanted()
	switch {
	case s.hasXPath():
		selected = s.Filter.XPath
	case len(suppressed) == 0:
		return channel, selected
	}
	var b strings.Builder
	path = escape(channel)
	fmt.Fprintf(&b, `<QueryList><Query Id="0" Path="%s"><Select Path="%s">%s</Select>`, path, path, escape(selected))
	for _, xpath := range suppressed {
		fmt.Fprintf(&b, `<Suppress Path="%s">%s</Suppress>`, path, escape(xpath))
	}
	b.WriteString(`</Query></QueryList>`)
	return "", b.String()
}

func (s *Selection) hasXPath() bool { return s.Filter != nil && s.Filter.XPath != "" }

// whole reports whether the user's query is a structured one, in which nothing of ours has a place.
func (s *Selection) whole() bool {
	return s.hasXPath() && isQueryList(s.Filter.XPath)
}

// wanted is the XPath of what is selected: as many of the conditions as it may have expressions.
func (s *Selection) wanted() string {
	var conditions []string
	room := expressions
	add := func(alternatives []string, cost int) {
		if cost > 0 && cost <= room {
			room -= cost
			conditions = append(conditions, either(alternatives))
		}
	}
	if s.Above > 0 && !s.hasXPath() {
		add([]string{compare("EventRecordID>", s.Above)}, 1)
	}
	if !s.From.IsZero() {
		add([]string{"TimeCreated[@SystemTime>='" + s.From.UTC().Format("2006-01-02T15:04:05.000Z") + "']"}, 1)
	}
	if s.Filter != nil {
		add(levels(s.Filter.Levels))
		add(events(s.Filter.Events, false))
	}
	return system(conditions...)
}

// unwanted is the XPaths of what is left out. What the user selects by an XPath of his own is held to greater ids so, too.
func (s *Selection) unwanted() []string {
	if s.Filter == nil {
		return nil
	}
	var all []string
	if s.Above > 0 && s.hasXPath() {
		all = append(all, system(compare("EventRecordID<=", s.Above)))
	}
	left, cost := events(s.Filter.Events, true)
	for _, p := range s.Filter.Providers {
		name, excluded := strings.CutPrefix(p, "!")
		if literal, ok := quote(name); ok && excluded && cost < expressions {
			left = append(left, "Provider[@Name="+literal+"]")
			cost++
		}
	}
	if len(left) > 0 {
		all = append(all, system(either(left)))
	}
	return all
}

// levels are the conditions for any of these levels, and how many expressions they have. A level of the Windows event log
// that is not one of its five may be one of them by its name, which XPath does not know.
func levels(wanted []report.Level) (conditions []string, cost int) {
	for _, l := range wanted {
		switch l {
		case report.Critical:
			conditions = append(conditions, "Level=1")
		case report.Error:
			conditions = append(conditions, "Level=2")
		case report.Warning:
			conditions = append(conditions, "Level=3")
		case report.Information:
			conditions = append(conditions, "Level=4", "Level=0")
		case report.Verbose:
			conditions = append(conditions, "Level=5")
		case report.AuditFailure:
			conditions = append(conditions, compare("band(Keywords,", 1<<52)+")")
		case report.AuditSuccess:
			conditions = append(conditions, compare("band(Keywords,", 1<<53)+")")
		}
	}
	if len(conditions) > 0 {
		conditions = append(conditions, "Level>5")
	}
	return conditions, len(conditions)
}

// events are the conditions for the events that are selected, or for those that are excluded, and how many expressions they
// have. Of those that are excluded they are as many as one XPath may have.
func events(selected report.Events, excluded bool) (conditions []string, cost int) {
	for _, r := range selected {
		if r.Exclude != excluded {
			continue
		}
		condition, n := compare("EventID=", r.First), 1
		if r.Last != r.First {
			condition, n = "("+compare("EventID>=", r.First)+" and "+compare("EventID<=", r.Last)+")", 2
		}
		if excluded && cost+n > expressions {
			break
		}
		conditions = append(conditions, condition)
		cost += n
	}
	return conditions, cost
}

// system is the XPath of events whose section System meets all conditions.
func system(conditions ...string) string {
	if len(conditions) == 0 {
		return "*"
	}
	return "*[System[" + strings.Join(conditions, " and ") + "]]"
}

func either(conditions []string) string {
	if len(conditions) == 1 {
		return conditions[0]
	}
	return "(" + strings.Join(conditions, " or ") + ")"
}

func compare(what string, number int64) string { return what + strconv.FormatInt(number, 10) }

// quote returns a literal of XPath, which knows no escapes.
func quote(text string) (literal string, ok bool) {
	switch {
	case !strings.Contains(text, "'"):
		return "'" + text + "'", true
	case !strings.Contains(text, `"`):
		return `"` + text + `"`, true
	}
	return "", false
}

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(text)
}

func isQueryList(xpath string) bool { return strings.HasPrefix(strings.TrimSpace(xpath), "<") }

// checkQueryList checks that a user's structured query asks for one channel alone: a record of another one would be taken for
// one of this. It looks at the attributes Path of all tags; whether the rest is well formed Windows says.
func checkQueryList(query, channel string) error {
	named := false
	for rest := query; ; {
		_, after, found := strings.Cut(rest, "<")
		if !found {
			break
		}
		paths, end, ok := pathsOf(after)
		if !ok {
			return errors.New("the query is no XML that ends as it should, or has comments")
		}
		for _, path := range paths {
			if !strings.EqualFold(path, channel) {
				return fmt.Errorf("the query names %q, and is one for %q", path, channel)
			}
			named = true
		}
		rest = end
	}
	if !named {
		return fmt.Errorf("the query names no channel: Select has to have Path=%q", channel)
	}
	return nil
}

// pathsOf returns the values of the attribute Path of a tag, and what follows the tag.
func pathsOf(tag string) (paths []string, rest string, ok bool) {
	if strings.HasPrefix(tag, "!") {
		return nil, "", false
	}
	for {
		i := strings.IndexAny(tag, `>"'`)
		if i < 0 {
			return nil, "", false
		}
		if tag[i] == '>' {
			return paths, tag[i+1:], true
		}
		name := strings.TrimRight(tag[:i], " \t\r\n")
		value, after, closed := strings.Cut(tag[i+1:], tag[i:i+1])
		if !closed || !strings.HasSuffix(name, "=") {
			return nil, "", false
		}
		if words := strings.Fields(strings.TrimSuffix(name, "=")); len(words) > 0 && words[len(words)-1] == "Path" {
			paths = append(paths, unescape(value))
		}
		tag = after
	}
}

func unescape(text string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&").Replace(text)
}
