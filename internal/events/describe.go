package events

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"muster/internal/report"
)

// maxLine bounds in bytes what Describe returns.
const maxLine = 1000

// Describe returns what a record says, in one line for a person: of a Windows event that the package knows its name and
// what it was about, as in `An account failed to log on: CORP\alice from 10.0.0.5, network logon: wrong password`; of any
// other its message, or else its data. The line has no line ends, and at most 1,000 bytes. It holds what the host sent:
// report.Visible makes it safe to show.
func Describe(r *report.Record) string {
	var line string
	switch e := lookup(r); {
	case e != nil:
		line = e.Name + e.about(r)
	case r.Message != "":
		line = r.Message
	default:
		line = data(r)
	}
	return oneLine(line)
}

// about returns what follows an event's name.
func (e *Event) about(r *report.Record) string {
	if e.Provider == auditing {
		if l, why, ok := windowsLogon(r); ok {
			return l.about(r.Event, why)
		}
	}
	var b strings.Builder
	for piece := range strings.SplitSeq(e.form, "|") {
		b.WriteString(fill(piece, r))
	}
	return b.String()
}

// about returns a logon in words.
func (l Logon) about(id int64, why string) string {
	var b strings.Builder
	if l.User != "" {
		b.WriteString(": " + l.User)
	}
	if l.Address != "" {
		b.WriteString(" from " + l.Address)
	}
	if (id == 4624 || id == 4625) && l.Method != "" {
		b.WriteString(", " + l.Method + " logon")
	}
	if why != "" {
		b.WriteString(": " + why)
	}
	return b.String()
}

// fill returns a piece of a form with the values that it names; "" where one of them is empty.
func fill(piece string, r *report.Record) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(piece, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		v := value(r, name)
		if v == "" {
			return ""
		}
		b.WriteString(v)
		piece = after
	}
}

// value returns what a form names: a field, or one of those that are made of several; a number is that of a field without
// a name, counted from 1.
func value(r *report.Record, name string) string {
	switch name {
	case "target":
		return account(r, "Target")
	case "subject":
		return account(r, "Subject")
	case "address":
		return address(field(r, "IpAddress"))
	case "member":
		if member := field(r, "MemberName"); member != "" {
			return member
		}
		return field(r, "MemberSid")
	case "program":
		if line := field(r, "CommandLine"); line != "" {
			return line
		}
		return field(r, "NewProcessName")
	case "logontype":
		if words := LogonType(field(r, "LogonType")); words != "" {
			return words + " logon"
		}
		return ""
	case "AuditPolicyChanges": // the page of event 4719
		return strings.NewReplacer("%%8448", "success removed", "%%8449", "success added",
			"%%8450", "failure removed", "%%8451", "failure added").Replace(field(r, name))
	case "failed":
		return reason(field(r, "Status"), Kerberos)
	}
	if n, err := strconv.Atoi(name); err == nil {
		return numbered(r, n)
	}
	return field(r, name)
}

// numbered returns the value of the nth field that has no name.
func numbered(r *report.Record, n int) string {
	for i := range r.Data {
		if r.Data[i].Name != "" {
			continue
		}
		if n--; n == 0 {
			return strings.TrimSpace(r.Data[i].Value)
		}
	}
	return ""
}

// data returns a record's data as a line: name=value, …
func data(r *report.Record) string {
	var b strings.Builder
	for i := range r.Data {
		f := &r.Data[i]
		if strings.TrimSpace(f.Value) == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		if f.Name != "" {
			b.WriteString(f.Name + "=")
		}
		b.WriteString(head(f.Value, maxLine))
		if b.Len() > maxLine {
			break
		}
	}
	return b.String()
}

// oneLine returns text on one line, cut where it is too long.
func oneLine(text string) string {
	const mark = "…"
	text = strings.Join(strings.Fields(head(text, 8*maxLine)), " ")
	if len(text) <= maxLine {
		return text
	}
	return head(text, maxLine-len(mark)) + mark
}

// head returns what a text begins with, at most so many bytes, without a character that they would cut.
func head(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
