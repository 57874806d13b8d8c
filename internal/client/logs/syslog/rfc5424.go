package syslog

import (
	"strings"
	"time"

	"muster/internal/report"
)

// parse5424 reads what follows "<PRI>1 " (RFC 5424, section 6): time, host, program, process, message's id, structured
// data and text. It returns false, with r as it was, where the line is not one.
func parse5424(r *report.Record, text string) bool {
	var words [5]string
	for i := range words {
		var found bool
		if words[i], text, found = strings.Cut(text, " "); !found || words[i] == "" {
			return false
		}
		if words[i] == "-" { // NILVALUE
			words[i] = ""
		}
	}
	stamp, host, program, process, id := words[0], words[1], words[2], words[3], words[4]
	got := report.Record{Computer: host, Source: program}
	if stamp != "" {
		at, rest, zoned, ok := cutISO(stamp, time.UTC)
		if !ok || !zoned || rest != "" {
			return false
		}
		got.Time = at
	}
	setProcess(&got, process)
	if id != "" {
		got.Data = append(got.Data, report.Field{Name: MessageID, Value: id})
	}
	rest, ok := cutStructured(&got, text)
	if !ok {
		return false
	}
	if rest != "" && rest[0] != ' ' {
		return false
	}
	rest = strings.TrimPrefix(rest, " ")
	got.Message = strings.TrimPrefix(rest, "\ufeff") // the mark of UTF-8, section 6.4
	*r = got
	return true
}

// cutStructured reads structured data (section 6.3) and adds it to the record's. What has more than a record may have is
// cut, and the record marked.
func cutStructured(r *report.Record, text string) (rest string, ok bool) {
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		return rest, true
	}
	if text == "" || text[0] != '[' {
		return text, false
	}
	for text != "" && text[0] == '[' {
		if text, ok = cutElement(r, text[1:]); !ok {
			return text, false
		}
	}
	return text, true
}

// cutElement reads one element from behind its opening bracket to behind its closing one.
func cutElement(r *report.Record, text string) (rest string, ok bool) {
	end := strings.IndexAny(text, " ]")
	if end < 1 {
		return text, false
	}
	id, text := text[:end], text[end:]
	if text[0] == ']' {
		addField(r, id, "")
	}
	for text != "" && text[0] == ' ' {
		name, after, found := strings.Cut(text[1:], `="`)
		if !found || name == "" || strings.ContainsAny(name, " ]\"") {
			return text, false
		}
		value, after, ok := cutQuoted(after)
		if !ok {
			return text, false
		}
		addField(r, id+"."+name, value)
		text = after
	}
	return strings.CutPrefix(text, "]")
}

// cutQuoted reads a value up to its closing quotation mark. A backslash before a quotation mark, a backslash or a
// closing bracket is none of the value's; before anything else it is (section 6.3.3).
func cutQuoted(text string) (value, rest string, ok bool) {
	var unescaped strings.Builder
	escaped, from := false, 0
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			if !escaped {
				return text[:i], text[i+1:], true
			}
			unescaped.WriteString(text[from:i])
			return unescaped.String(), text[i+1:], true
		case text[i] == '\\' && i+1 < len(text) && strings.IndexByte(`"\]`, text[i+1]) >= 0:
			unescaped.WriteString(text[from:i])
			i++
			escaped, from = true, i
		}
	}
	return "", text, false
}

// addField adds a piece of structured data, as long as there is room beside the facility.
func addField(r *report.Record, name, value string) {
	if len(r.Data) >= report.MaxFields-1 {
		r.Altered = true
		return
	}
	r.Data = append(r.Data, report.Field{Name: name, Value: value})
}
