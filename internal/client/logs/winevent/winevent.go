// Package winevent reads what the Windows event log writes of an event, its XML, into a record. It runs on every platform:
// who asks Windows for the XML is package wevt's matter.
//
// The XML is what EvtRender prints (EvtRenderEventXml), or EvtFormatMessage (EvtFormatMessageXml), which adds RenderingInfo.
// Its form is that of https://learn.microsoft.com/windows/win32/wes/eventschema-schema; an event is read as follows.
//
//   - System gives the record's id, time (to 100 ns), level, event, source, computer, user (an SID), process and keywords.
//     Where the level says no more than "information", or nothing, the keywords of an audit say the level.
//   - Each Data of EventData is a field under its Name, or under none; Binary is a field of that name, in hexadecimal.
//   - UserData has one element that names the kind of event; what is inside that is fields under the elements' names, an
//     element's inside another's as in "Outer.Inner". Their attributes are fields too: "Error.Code".
//   - RenderingInfo gives the message, and the keywords in words.
//   - Everything else (BinaryEventData, ProcessingErrorData, DebugData) is fields that begin with its name.
//
// No record is lost for the text that it holds, for it is seldom Windows that decides what a field says. Characters that
// XML forbids are replaced by U+FFFD. XML that is malformed is read as far as it makes sense, and further: an ampersand
// that begins no reference is an ampersand, a "<" that begins no tag is that, an end that is missing is where its element
// has to end. Both mark the record as altered, and the second is an error beside the record too.
//
// It is a scanner of its own because a host may bring home a million events: encoding/xml takes about eight times as long.
// Entities other than XML's five are not known, and documents of them are not expanded.
package winevent

import (
	"errors"
	"fmt"
	"strings"

	"muster/internal/report"
)

// ErrNoRecord is what errors wrap where a text has no record id, and so is no record.
var ErrNoRecord = errors.New("it has no record id")

// Event is a record, and the channel that it was written to: that of the machine where it happened, which in the channel
// ForwardedEvents is another one.
type Event struct {
	report.Record
	Channel string
}

// Parse returns the record that the XML of an event is. Its Raw is the XML, byte by byte, but for characters that XML
// forbids. Its texts are as long as they are: report's bounds are whoever sends it to see to. Time is zero where the XML
// has none. NULs at the end, which Windows counts to the text, are not part of it.
//
// An error beside a record whose ID is above 0 says what is wrong with its XML: the record is good for what could be read.
// Without an id the error wraps ErrNoRecord, and the record is empty.
func Parse(document []byte) (report.Record, error) {
	event, err := ParseEvent(document)
	return event.Record, err
}

// ParseEvent is Parse, with the channel.
func ParseEvent(document []byte) (Event, error) {
	text, altered := clean(document)
	return parse(text, altered)
}

// ParseUTF16 is Parse for the XML as Windows has it. Halves of surrogate pairs that stand alone are replaced as other
// characters are that XML forbids.
func ParseUTF16(document []uint16) (report.Record, error) {
	converted, halves := fromUTF16(document)
	text, altered := clean(converted)
	event, err := parse(text, altered || halves)
	return event.Record, err
}

// byteOrder is what may stand at the beginning of a text in Unicode.
const byteOrder = "\uFEFF"

// parse reads text that holds no character that XML forbids.
func parse(text string, altered bool) (Event, error) {
	p := parser{scanner: scanner{doc: text}, altered: altered}
	if strings.HasPrefix(text, byteOrder) {
		p.pos = len(byteOrder)
	}
	p.document()
	p.rescue()
	if p.event.ID <= 0 {
		if p.problem != nil {
			return Event{}, fmt.Errorf("event XML: %w; %w", ErrNoRecord, p.problem)
		}
		return Event{}, fmt.Errorf("event XML: %w", ErrNoRecord)
	}
	p.event.Raw = text
	p.event.Altered = p.altered || p.broken || p.problem != nil
	p.event.Level = p.gravity()
	if p.keywords != "" {
		p.event.Keywords = p.keywords
	}
	return p.event, p.problem
}

// parser makes an event of what the scanner finds.
type parser struct {
	scanner
	event    Event
	altered  bool
	level    string // as System has it
	rendered string // the level in words, as RenderingInfo has it
	keywords string // in words, as RenderingInfo has them
}

// document reads all of it.
func (p *parser) document() {
	for {
		switch p.next() {
		case tokenEOF:
			return
		case tokenText:
			if !blank(p.text) {
				p.note("text outside the event")
			}
		case tokenStart:
			if p.local() != "Event" {
				p.note("it is no event but <" + p.name + ">")
				return
			}
			p.sections()
			if rest := strings.TrimLeft(p.doc[p.pos:], " \r\n\t"); rest != "" {
				p.note("something follows the event")
			}
			return
		}
	}
}

// sections reads the elements of the event, to its end.
func (p *parser) sections() {
	for {
		switch p.next() {
		case tokenEOF, tokenEnd:
			return
		case tokenStart:
			switch name := p.local(); name {
			case "System":
				p.system()
			case "EventData":
				p.each(func() { p.field(p.dataName(), false) })
			case "UserData":
				p.each(p.userData)
			case "RenderingInfo":
				p.rendering()
			default:
				p.field(name, true)
			}
		}
	}
}

// each calls read for each element inside the one that has begun, until that ends. What read is called for it reads to
// its end.
func (p *parser) each(read func()) {
	for {
		switch p.next() {
		case tokenEOF, tokenEnd:
			return
		case tokenStart:
			read()
		}
	}
}

// content returns the text of the element that has begun, and reads to its end. What is in elements inside it is passed
// over.
func (p *parser) content() string {
	var text joined
	for depth := 0; ; {
		switch p.next() {
		case tokenEOF:
			return text.String()
		case tokenStart:
			depth++
		case tokenText:
			if depth == 0 {
				text.add(p.text)
			}
		case tokenEnd:
			if depth == 0 {
				return text.String()
			}
			depth--
		}
	}
}

// joined is a text that may come in pieces, and mostly comes in one.
type joined struct {
	one  string
	many []byte
}

func (j *joined) add(text string) {
	switch {
	case j.many != nil:
		j.many = append(j.many, text...)
	case j.one == "":
		j.one = text
	default:
		j.many = append(append(make([]byte, 0, 2*(len(j.one)+len(text))), j.one...), text...)
	}
}

func (j *joined) String() string {
	if j.many != nil {
		return string(j.many)
	}
	return j.one
}
