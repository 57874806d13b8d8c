package journal

import (
	"bytes"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"muster/internal/report"
)

// mark is where in the journal an entry stands.
type mark struct {
	stream   string // in hexadecimal
	sequence uint64
	time     int64 // when journald got it, in µs since 1970
}

// markOf reads an entry's cursor, s=STREAM;i=SEQUENCE;…, whose form has been the same in all versions; since 254 the fields
// __SEQNUM_ID and __SEQNUM say the same, and are believed where the cursor has another form.
func markOf(e *entry) (mark, bool) {
	var m mark
	for i := range e.fields {
		switch f := &e.fields[i]; string(f.name) {
		case "__CURSOR":
			m.readCursor(string(f.value))
		case "__REALTIME_TIMESTAMP":
			m.time = number(f.value)
		case "__SEQNUM":
			if m.sequence == 0 {
				m.sequence = uint64(number(f.value))
			}
		case "__SEQNUM_ID":
			if m.stream == "" {
				m.stream = string(f.value)
			}
		}
	}
	return m, m.sequence > 0 && m.stream != "" && m.time > 0
}

func (m *mark) readCursor(text string) {
	for part := range strings.SplitSeq(text, ";") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "s":
			m.stream = value
		case "i":
			if n, err := strconv.ParseInt(value, 16, 64); err == nil && n > 0 {
				m.sequence = uint64(n)
			}
		}
	}
}

// maker makes records of entries.
type maker struct {
	raw   bool
	users map[string]string // names by ids
}

// record makes a record of an entry. What the bounds of a report cut is cut by whoever sends it.
func (m *maker) record(e *entry, at mark) report.Record {
	r := report.Record{ID: int64(at.sequence), Time: time.UnixMicro(at.time).UTC(), Altered: e.cut}
	command, syslogID := "", ""
	messages := 0
	for i := range e.fields {
		f := &e.fields[i]
		switch string(f.name) {
		case "MESSAGE":
			if messages++; messages > 1 {
				r.Message += "\n" + string(f.value)
			} else {
				r.Message = string(f.value)
			}
			continue
		case "PRIORITY":
			r.Level = level(f.value)
		case "SYSLOG_IDENTIFIER":
			r.Source = string(f.value)
		case "_COMM":
			command = string(f.value)
		case "_HOSTNAME":
			r.Computer = string(f.value)
		case "_PID":
			r.Process = number(f.value)
		case "SYSLOG_PID":
			syslogID = string(f.value)
		case "_UID":
			r.User = m.user(string(f.value))
		case "_SOURCE_REALTIME_TIMESTAMP":
			if t := number(f.value); t > 0 {
				r.Time = time.UnixMicro(t).UTC()
			}
		}
		if isData(string(f.name)) {
			r.Data = append(r.Data, report.Field{Name: string(f.name), Value: string(f.value)})
		}
	}
	if r.Source == "" {
		r.Source = command
	}
	if r.Process == 0 {
		r.Process = number([]byte(syslogID))
	}
	if len(r.Data) > report.MaxFields {
		slices.SortStableFunc(r.Data, ownFirst) // the last ones are left out
	}
	if m.raw {
		r.Raw = string(appendJSON(make([]byte, 0, len(e.text)+len(e.text)/4), e))
	}
	return r
}

// ownFirst orders what journald says itself before what programs say.
func ownFirst(a, b report.Field) int {
	switch own := strings.HasPrefix(a.Name, "_"); {
	case own == strings.HasPrefix(b.Name, "_"):
		return 0
	case own:
		return -1
	}
	return 1
}

// isData reports whether a field is among the record's data: all that programs send, and what journald adds of use. What
// stands elsewhere in the record is not, nor are copies of the line as it came by syslog.
func isData(name string) bool {
	switch name {
	case "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "SYSLOG_RAW", "SYSLOG_TIMESTAMP":
		return false
	case "_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT", "_EXE", "_COMM", "_CMDLINE", "_UID", "_TRANSPORT", "_BOOT_ID":
		return true
	}
	if strings.HasPrefix(name, "_") {
		return strings.HasPrefix(name, "_AUDIT_") || strings.HasPrefix(name, "_KERNEL_")
	}
	return true
}

// level returns the level of a priority: syslog's eight.
func level(priority []byte) report.Level {
	if len(priority) != 1 || priority[0] < '0' || priority[0] > '7' {
		return ""
	}
	return priorities()[priority[0]-'0']
}

// priorities returns the levels by their priorities, from 0 (RFC 5424, section 6.2.1).
func priorities() [8]report.Level {
	return [8]report.Level{
		report.Emergency, report.AlertLevel, report.Critical, report.Error,
		report.Warning, report.Notice, report.Information, report.Debug,
	}
}

// number returns the number that a text is; 0 where it is none.
func number(text []byte) int64 {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// user returns the name of a user; the id where it has none.
func (m *maker) user(id string) string {
	if name, known := m.users[id]; known {
		return name
	}
	name := id
	if u, err := user.LookupId(id); err == nil {
		name = u.Username
	}
	m.users[strings.Clone(id)] = name
	return name
}

// appendJSON appends an entry in the form of journalctl --output=json --all, as one line: what is not printable text is an
// array of bytes, and fields of one name are one array.
func appendJSON(b []byte, e *entry) []byte {
	b = append(b, '{')
	for i := range e.fields {
		f := &e.fields[i]
		same := func(o field) bool { return bytes.Equal(o.name, f.name) }
		if slices.IndexFunc(e.fields[:i], same) >= 0 {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, f.name...)
		b = append(b, '"', ':')
		if slices.IndexFunc(e.fields[i+1:], same) < 0 {
			b = appendValue(b, f.value)
			continue
		}
		b = append(b, '[')
		for j := range e.fields[i:] {
			if o := &e.fields[i+j]; same(*o) {
				if j > 0 {
					b = append(b, ',')
				}
				b = appendValue(b, o.value)
			}
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendValue(b, value []byte) []byte {
	if !printable(value) {
		b = append(b, '[')
		for i, c := range value {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendUint(b, uint64(c), 10)
		}
		return append(b, ']')
	}
	b = append(b, '"')
	for _, c := range value {
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// printable reports whether systemd takes a value for text: UTF-8 without control characters but tabs and line feeds.
func printable(value []byte) bool {
	for i := 0; i < len(value); {
		c := value[i]
		if c >= ' ' && c < 0x7F || c == '\t' || c == '\n' {
			i++
			continue
		}
		r, n := utf8.DecodeRune(value[i:])
		if n < 2 || r < 0xA0 || r >= 0xFDD0 && r <= 0xFDEF || r&0xFFFE == 0xFFFE {
			return false
		}
		i += n
	}
	return true
}
