package syslog

import (
	"strings"

	"muster/internal/report"
)

// cutPriority reads "<PRI>" at the beginning (RFC 5424, section 6.2.1).
func cutPriority(line string) (facility string, level report.Level, rest string, ok bool) {
	if len(line) < 3 || line[0] != '<' {
		return "", "", line, false
	}
	end := strings.IndexByte(line[:min(len(line), 5)], '>')
	if end < 2 {
		return "", "", line, false
	}
	value, ok := number(line[1:end])
	if !ok || value > 191 {
		return "", "", line, false
	}
	return facilityName(int(value / 8)), severity(int(value % 8)), line[end+1:], true
}

// facilityName returns the keyword of a facility, 0 to 23: those of syslog.conf, and RFC 5424's meaning where there is none.
func facilityName(number int) string {
	return [...]string{
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news",
		"uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	}[number]
}

// severity returns the level of a severity, 0 to 7.
func severity(number int) report.Level {
	return [...]report.Level{
		report.Emergency, report.AlertLevel, report.Critical, report.Error,
		report.Warning, report.Notice, report.Information, report.Debug,
	}[number]
}

// levelName returns the level that a program calls so, or none.
func levelName(word string) report.Level {
	switch word {
	case "emerg", "emergency", "panic":
		return report.Emergency
	case "alert":
		return report.AlertLevel
	case "crit", "critical", "fatal":
		return report.Critical
	case "err", "error":
		return report.Error
	case "warn", "warning":
		return report.Warning
	case "notice":
		return report.Notice
	case "info", "information":
		return report.Information
	case "debug", "trace":
		return report.Debug
	}
	return ""
}

// isFacility reports whether a word is the keyword of a facility: those of facilityName, "security", which is the old
// name of auth, and "console", which FreeBSD has.
func isFacility(word string) bool {
	for number := range 24 {
		if facilityName(number) == word {
			return true
		}
	}
	return word == "security" || word == "console"
}

// cutSelector reads "facility.level " as BusyBox and OpenWrt write it, and returns what follows it.
func cutSelector(r *report.Record, text string) (rest string, ok bool) {
	end := strings.IndexByte(text[:min(len(text), 24)], ' ')
	if end < 0 {
		return text, false
	}
	facility, name, _ := strings.Cut(text[:end], ".")
	level := levelName(name)
	if level == "" || !isFacility(facility) {
		return text, false
	}
	r.Level = level
	setFacility(r, facility)
	return text[end+1:], true
}

// cutVerbose reads "<facility.level> " or "<number.number> " as FreeBSD's syslogd writes it with -vv or -v, and returns
// what follows it.
func cutVerbose(r *report.Record, text string) string {
	if text == "" || text[0] != '<' {
		return text
	}
	end := strings.Index(text[:min(len(text), 24)], "> ")
	if end < 0 {
		return text
	}
	facility, name, _ := strings.Cut(text[1:end], ".")
	level := levelName(name)
	if f, ok := number(facility); ok && f < 24 {
		if s, ok := number(name); ok && s < 8 {
			facility, level = facilityName(int(f)), severity(int(s))
		}
	}
	if level == "" || !isFacility(facility) {
		return text
	}
	r.Level = level
	setFacility(r, facility)
	return text[end+2:]
}

// setFacility adds the facility to the data, or replaces it there.
func setFacility(r *report.Record, name string) {
	for i := range r.Data {
		if r.Data[i].Name == Facility {
			r.Data[i].Value = name
			return
		}
	}
	r.Data = append(r.Data, report.Field{Name: Facility, Value: name})
}
