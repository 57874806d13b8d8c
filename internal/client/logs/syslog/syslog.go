// Package syslog splits a line of a log file into the fields of a record.
//
// Lines of log files follow no one format. Parse knows those that daemons of syslog write, and some of their neighbours:
//
//	Nov 23 17:01:02 host sshd[123]: text                   RFC 3164, section 4.1, without its priority: traditional files
//	2026-11-23T17:01:02.123456+00:00 host sshd[123]: text  rsyslog with RFC 3339 times: Debian since 12, Ubuntu since 24.04
//	<38>Nov 23 17:01:02 host sshd[123]: text               either of them with the priority: on the wire
//	<38>1 2026-11-23T17:01:02Z host sshd 123 - [a b="c"] … RFC 5424, with structured data
//	Nov 23 17:01:02 <auth.info> host sshd[123]: text       FreeBSD's syslogd -v; with -v once the numbers <4.6>
//	Nov 23 17:01:02 host auth.info sshd[123]: text         BusyBox
//	Mon Nov 23 17:01:02 2026 auth.info sshd[123]: text     OpenWrt
//	2026-11-23 17:01:02 status installed libc6             a time and a text: dpkg and many others
//	2026-11-23 17:01:02,123 WARNING text                   … with a level: many programs
//	2026/11/23 17:01:02 [error] 123#4: text                nginx
//	[Mon Nov 23 17:01:02.123 2026] [core:error] [pid 123]  Apache
//
// Whatever else a line is, it is a message. A part that is not surely what it seems to be stays in the message too: no
// text of a line is lost, except the blanks and brackets between its parts. What a program writes decides nothing but
// the fields of its own line. Parse keeps no state, may be called from many goroutines, and never fails.
package syslog

import (
	"strings"
	"time"

	"muster/internal/report"
)

// Names of data that have no field of their own in a record. The data of RFC 5424's structured elements are called
// "id.name", and an element without any by its id.
const (
	Facility  = "facility" // in words, as "authpriv"
	MessageID = "msgid"    // RFC 5424, section 6.2.7
	ProcessID = "procid"   // where it is not a number
)

// Parse returns what a line says. The line has no line end. Its strings are parts of the line and keep it in memory; ID,
// Raw and Altered are not set.
//
// latest is when the line was written at the latest. A time without a year is of the year in which it is not more than
// a day after that: the day is for zones and clocks that differ. zone is where times are of that name no zone. Where the
// line has no time, Time is zero. In the hour that a zone has twice the time may be the one or the other.
func Parse(line string, latest time.Time, zone *time.Location) report.Record {
	var r report.Record
	rest := line
	if facility, level, after, ok := cutPriority(rest); ok {
		if body, ok := strings.CutPrefix(after, "1 "); ok && parse5424(&r, body) {
			r.Level = level
			r.Data = append([]report.Field{{Name: Facility, Value: facility}}, r.Data...)
			return r
		}
		r.Level, rest = level, after
		setFacility(&r, facility)
	}
	if rest == "" {
		r.Message = line
		return r
	}
	switch c := rest[0]; {
	case isDigit(c):
		parseISO(&r, rest, zone)
	case c >= 'A' && c <= 'Z':
		parseNamed(&r, rest, latest, zone)
	case c == '[':
		parseApache(&r, rest, zone)
	default:
		r.Message = rest
	}
	return r
}

// parseNamed reads a line that begins with the name of a month or a day.
func parseNamed(r *report.Record, line string, latest time.Time, zone *time.Location) {
	if at, rest, ok := cutCtime(line, zone); ok {
		r.Time = at
		if after, ok := cutSelector(r, rest); ok {
			rest = after
			if cutTag(r, rest) {
				return
			}
		}
		r.Message = rest
		return
	}
	at, rest, ok := cutStamp(line, latest, zone)
	if !ok {
		r.Message = line
		return
	}
	r.Time = at
	parseHost(r, rest, true)
}

// parseISO reads a line that begins with a date in digits.
func parseISO(r *report.Record, line string, zone *time.Location) {
	at, rest, zoned, ok := cutISO(line, zone)
	if !ok {
		r.Message = line
		return
	}
	r.Time = at
	if parseLevel(r, rest) {
		return
	}
	if zoned {
		parseHost(r, rest, false)
		return
	}
	r.Message = rest
}

// parseHost reads what follows the time: host, tag and text. After a time of RFC 3164 the first word is the host's name
// whatever follows; after others, which not only syslog writes, only where a tag does.
func parseHost(r *report.Record, rest string, surely bool) {
	rest = cutVerbose(r, rest)
	host, after, found := strings.Cut(rest, " ")
	switch {
	case !found || !isHost(host):
		if !cutTag(r, rest) {
			r.Message = rest
		}
		return
	case host[len(host)-1] == ':' && cutTag(r, rest): // there is no host: logger without a daemon
		return
	}
	tagged, selected := after, false
	if next, ok := cutSelector(r, after); ok {
		tagged, selected = next, true
	}
	switch {
	case cutTag(r, tagged):
		r.Computer = host
	case selected || surely:
		r.Computer, r.Message = host, tagged
	default:
		r.Message = rest
	}
}

// isHost reports whether a word can be the name or address of a host.
func isHost(word string) bool {
	if word == "" || len(word) > report.MaxWord {
		return false
	}
	for i := range len(word) {
		if c := word[i]; c <= ' ' || c == '[' || c == '"' || c == '=' || c == 0x7f {
			return false
		}
	}
	return true
}

// cutTag reads "name[process]: text" or "name: text", and returns false where the text does not begin so.
func cutTag(r *report.Record, text string) bool {
	end := 0
	for end < len(text) && isTagCharacter(text[end]) {
		end++
	}
	if end == 0 || end == len(text) || end > report.MaxWord {
		return false
	}
	name, rest := text[:end], text[end:]
	process := ""
	if rest[0] == '[' {
		last := strings.IndexByte(rest, ']')
		if last < 1 || last > report.MaxWord || strings.IndexByte(rest[:last], ' ') >= 0 {
			return false
		}
		process, rest = rest[1:last], rest[last+1:]
		// launchd writes "name[1] (service): text"; everybody else has the colon at once.
		if rest != "" && rest[0] != ':' && !strings.HasPrefix(rest, " (") {
			return false
		}
	} else if rest[0] != ':' || len(rest) > 1 && rest[1] != ' ' && rest[1] != '\t' {
		return false // as in a path of Windows, a time or an address
	}
	rest = strings.TrimPrefix(rest, ":")
	r.Source = name
	setProcess(r, process)
	r.Message = strings.TrimPrefix(rest, " ")
	return true
}

func isTagCharacter(c byte) bool {
	return c > ' ' && c != ':' && c != '[' && c != ']' && c != '"' && c != '=' && c != 0x7f
}

// setProcess sets a process's id, or adds it to the data where it is not a number.
func setProcess(r *report.Record, text string) {
	if text == "" {
		return
	}
	if id, ok := number(text); ok {
		r.Process = id
		return
	}
	r.Data = append(r.Data, report.Field{Name: ProcessID, Value: text})
}

// number reads a decimal number of up to 18 digits.
func number(text string) (int64, bool) {
	if text == "" || len(text) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(text) {
		if !isDigit(text[i]) {
			return 0, false
		}
		n = 10*n + int64(text[i]-'0')
	}
	return n, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
