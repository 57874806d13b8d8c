package winevent

import (
	"strconv"
	"strings"
	"time"

	"muster/internal/report"
)

// Standard keywords of an event (winmeta.xml): what an audit found.
const (
	keywordAuditFailure = 0x10_0000_0000_0000
	keywordAuditSuccess = 0x20_0000_0000_0000
)

// system reads the section System, to its end. What stands there twice counts the first time.
func (p *parser) system() {
	e := &p.event
	p.each(func() {
		switch p.local() {
		case "Provider":
			if first(&e.Source, p.attribute("Name")); e.Source == "" {
				e.Source = p.attribute("EventSourceName")
			}
		case "EventID":
			p.number(&e.Event, p.content(), "event id")
			return
		case "Level":
			first(&p.level, strings.TrimSpace(p.content()))
			return
		case "Keywords":
			first(&e.Keywords, strings.TrimSpace(p.content()))
			return
		case "TimeCreated":
			p.time(p.attribute("SystemTime"))
		case "EventRecordID":
			p.number(&e.ID, p.content(), "record id")
			return
		case "Execution":
			p.number(&e.Process, p.attribute("ProcessID"), "process id")
		case "Channel":
			first(&p.event.Channel, p.content())
			return
		case "Computer":
			first(&e.Computer, p.content())
			return
		case "Security":
			first(&e.User, p.attribute("UserID"))
		}
		p.skip()
	})
}

// skip reads to the end of the element that has begun.
func (p *parser) skip() {
	for depth := 1; depth > 0; {
		switch p.next() {
		case tokenEOF:
			return
		case tokenStart:
			depth++
		case tokenEnd:
			depth--
		}
	}
}

// first sets a value that has none yet.
func first(value *string, found string) {
	if *value == "" {
		*value = found
	}
}

// number reads a decimal number of at least 0 into a value that has none yet.
func (p *parser) number(value *int64, text, what string) {
	text = strings.TrimSpace(text)
	if text == "" || *value != 0 {
		return
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		p.note("the " + what + " is not a number: " + quote(text))
		return
	}
	*value = int64(n)
}

// time reads when the event happened.
func (p *parser) time(text string) {
	if text == "" || !p.event.Time.IsZero() {
		return
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		p.note("its time is none: " + quote(text))
		return
	}
	p.event.Time = t.UTC()
}

// gravity returns the event's level. An audit's keywords say it where the number says "information", or LogAlways, which
// is 0: nearly all events of the channel Security. A graver number is kept: that events of the audit were dropped (1101) is
// an error that calls itself a success.
func (p *parser) gravity() report.Level {
	switch p.level {
	case "1":
		return report.Critical
	case "2":
		return report.Error
	case "3":
		return report.Warning
	case "5":
		return report.Verbose
	case "", "0", "4":
		return p.audit()
	}
	return inWords(p.rendered) // a level of the provider's own
}

func (p *parser) audit() report.Level {
	bits, err := strconv.ParseUint(strings.TrimPrefix(p.event.Keywords, "0x"), 16, 64)
	switch {
	case err == nil && bits&keywordAuditFailure != 0:
		return report.AuditFailure
	case err == nil && bits&keywordAuditSuccess != 0:
		return report.AuditSuccess
	case p.level == "":
		return inWords(p.rendered)
	}
	return report.Information
}

// inWords returns the level that Windows calls so in English, or none.
func inWords(level string) report.Level {
	switch strings.TrimSpace(level) {
	case "Critical":
		return report.Critical
	case "Error":
		return report.Error
	case "Warning":
		return report.Warning
	case "Information":
		return report.Information
	case "Verbose":
		return report.Verbose
	}
	return ""
}

// rescue finds the record's id where what is malformed is in its way.
func (p *parser) rescue() {
	const begin = "<EventRecordID>"
	if p.problem == nil || p.event.ID != 0 {
		return
	}
	_, rest, found := strings.Cut(p.doc, begin)
	id, _, ended := strings.Cut(rest, "<")
	if n, err := strconv.ParseUint(strings.TrimSpace(id), 10, 63); found && ended && err == nil {
		p.event.ID = int64(n)
	}
}
