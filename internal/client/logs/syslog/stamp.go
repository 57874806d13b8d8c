package syslog

import (
	"strings"
	"time"
)

// day is how far a time without a year may be after the latest one that is possible.
const day = 24 * time.Hour

// cutStamp reads "Nov 23 17:01:02 " (RFC 3164, section 4.1.2), where the day may have one digit, the seconds a
// fraction, and a year may stand behind the day as Cisco's devices write it.
func cutStamp(line string, latest time.Time, zone *time.Location) (at time.Time, rest string, ok bool) {
	month, date, rest, ok := cutDate(line)
	if !ok {
		return at, line, false
	}
	year := 0
	if len(rest) > 5 && rest[4] == ' ' {
		if n, ok := digits(rest[:4]); ok {
			year, rest = n, rest[5:]
		}
	}
	c, rest, ok := cutClock(rest)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != ':' {
		return at, line, false
	}
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, ":"), " ") // Cisco's has a colon
	if year == 0 {
		at, ok = inYear(month, date, c, latest, zone)
		return at, rest, ok
	}
	if year < firstYear || date > daysIn(month, year) {
		return at, line, false
	}
	return c.on(year, month, date, zone), rest, true
}

// inYear returns the last time of that date that is not more than a day after the latest one. It is up to eight years
// before it for a leap day.
func inYear(month time.Month, date int, c clock, latest time.Time, zone *time.Location) (time.Time, bool) {
	limit := latest.Add(day)
	last := limit.In(zone).Year()
	for year := last; year > last-9; year-- {
		if date > daysIn(month, year) {
			continue
		}
		if at := c.on(year, month, date, zone); !at.After(limit) {
			return at, true
		}
	}
	return time.Time{}, false
}

// cutCtime reads "Mon Nov 23 17:01:02 2026 " as C's ctime writes it, with or without a fraction.
func cutCtime(line string, zone *time.Location) (at time.Time, rest string, ok bool) {
	if len(line) < 24 || line[3] != ' ' || !isWeekday(line[:3]) {
		return at, line, false
	}
	month, date, rest, ok := cutDate(line[4:])
	if !ok {
		return at, line, false
	}
	c, rest, ok := cutClock(rest)
	if !ok || len(rest) < 5 || rest[0] != ' ' {
		return at, line, false
	}
	year, ok := digits(rest[1:5])
	if !ok || year < firstYear || date > daysIn(month, year) {
		return at, line, false
	}
	return c.on(year, month, date, zone), strings.TrimPrefix(rest[5:], " "), true
}

// cutDate reads "Nov 23 ".
func cutDate(text string) (month time.Month, date int, rest string, ok bool) {
	if len(text) < 7 || text[3] != ' ' {
		return 0, 0, text, false
	}
	if month = monthOf(text[:3]); month == 0 {
		return 0, 0, text, false
	}
	rest = text[4:]
	if rest[0] == ' ' {
		rest = rest[1:]
	}
	n := 0
	for n < 2 && n < len(rest) && isDigit(rest[n]) {
		n++
	}
	date, ok = digits(rest[:n])
	if !ok || date < 1 || date > 31 || n == len(rest) || rest[n] != ' ' {
		return 0, 0, text, false
	}
	return month, date, rest[n+1:], true
}

// firstYear is the first year that is believed: syslog is not older, and times of clocks that were never set stay ours.
const firstYear = 1970

// cutISO reads a time as ISO 8601 and RFC 3339 have it: date and time with "T" or a blank between them, "-" or "/" in
// the date, a fraction after a full stop or a comma, and "Z", "+01:00", "+0100", "+01" or no zone. A blank or a
// line's end follows it.
func cutISO(line string, local *time.Location) (at time.Time, rest string, zoned, ok bool) {
	if len(line) < 19 || line[4] != '-' && line[4] != '/' || line[7] != line[4] || line[10] != 'T' && line[10] != ' ' {
		return at, line, false, false
	}
	year, ok1 := digits(line[:4])
	month, ok2 := digits(line[5:7])
	date, ok3 := digits(line[8:10])
	c, rest, ok4 := cutClock(line[11:])
	if !ok1 || !ok2 || !ok3 || !ok4 || year < firstYear || month < 1 || month > 12 ||
		date < 1 || date > daysIn(time.Month(month), year) {
		return at, line, false, false
	}
	zone := local
	offset, rest, zoned := cutZone(rest)
	if zoned {
		zone = time.UTC
	}
	switch {
	case rest == "":
	case rest[0] == ' ':
		rest = rest[1:]
	case rest[0] == '\t':
		rest, zoned = rest[1:], false // no daemon of syslog writes tabs
	case line[4] == '-' && rest[0] == ':' && len(rest) > 1 && rest[1] == ' ': // "2026-11-23 17:01:02: text"
		rest = rest[2:]
	default:
		return at, line, false, false
	}
	at = c.on(year, time.Month(month), date, zone)
	return at.Add(-offset), rest, zoned, true
}

// cutZone reads how far a zone is east of Greenwich.
func cutZone(text string) (offset time.Duration, rest string, ok bool) {
	if text == "" {
		return 0, text, false
	}
	sign := 1
	switch text[0] {
	case 'Z':
		return 0, text[1:], true
	case '+':
	case '-':
		sign = -1
	default:
		return 0, text, false
	}
	if len(text) < 3 {
		return 0, text, false
	}
	hours, ok := digits(text[1:3])
	rest = text[3:]
	minutes := 0
	if ok && rest != "" && rest[0] != ' ' {
		after := strings.TrimPrefix(rest, ":")
		if len(after) < 2 {
			return 0, text, false
		}
		minutes, ok = digits(after[:2])
		rest = after[2:]
	}
	if !ok || hours > 23 || minutes > 59 {
		return 0, text, false
	}
	return time.Duration(sign*(60*hours+minutes)) * time.Minute, rest, true
}

// clock is a time of day.
type clock struct{ hour, minute, second, nano int }

func (c clock) on(year int, month time.Month, date int, zone *time.Location) time.Time {
	return time.Date(year, month, date, c.hour, c.minute, c.second, c.nano, zone).UTC()
}

// cutClock reads "17:01:02" and a fraction. A 60th second is a leap second.
func cutClock(text string) (c clock, rest string, ok bool) {
	if len(text) < 8 || text[2] != ':' || text[5] != ':' {
		return c, text, false
	}
	var ok1, ok2, ok3 bool
	c.hour, ok1 = digits(text[:2])
	c.minute, ok2 = digits(text[3:5])
	c.second, ok3 = digits(text[6:8])
	if !ok1 || !ok2 || !ok3 || c.hour > 23 || c.minute > 59 || c.second > 60 {
		return c, text, false
	}
	rest = text[8:]
	if len(rest) < 2 || rest[0] != '.' && rest[0] != ',' || !isDigit(rest[1]) {
		return c, rest, true
	}
	rest = rest[1:]
	unit := int(time.Second)
	for rest != "" && isDigit(rest[0]) {
		unit /= 10 // digits beyond nanoseconds count nothing
		c.nano += unit * int(rest[0]-'0')
		rest = rest[1:]
	}
	return c, rest, true
}

// digits reads a short number; no text is none.
func digits(text string) (n int, ok bool) {
	for i := range len(text) {
		if !isDigit(text[i]) {
			return 0, false
		}
		n = 10*n + int(text[i]-'0')
	}
	return n, text != ""
}

func daysIn(month time.Month, year int) int {
	switch month {
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case time.April, time.June, time.September, time.November:
		return 30
	}
	return 31
}

// monthOf returns the month of an English name of three letters, 0 where it is none.
func monthOf(name string) time.Month {
	switch name {
	case "Jan":
		return time.January
	case "Feb":
		return time.February
	case "Mar":
		return time.March
	case "Apr":
		return time.April
	case "May":
		return time.May
	case "Jun":
		return time.June
	case "Jul":
		return time.July
	case "Aug":
		return time.August
	case "Sep":
		return time.September
	case "Oct":
		return time.October
	case "Nov":
		return time.November
	case "Dec":
		return time.December
	}
	return 0
}

func isWeekday(name string) bool {
	switch name {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return true
	}
	return false
}
