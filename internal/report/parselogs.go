package report

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// mostLikely bounds how many data a record gets room for because the one before it has as many. A host whose records have
// 200 and one by turns would have 200 kept for each.
const mostLikely = 32

// logsParser reads <logs>, and keeps count over all its channels.
type logsParser struct {
	*parser
	records int
	bytes   int    // as Record.Size counts them
	before  Record // neighbours often have texts in common, and then share their memory too
}

func (p *parser) logs(r *Report) error {
	l := logsParser{parser: p}
	return p.children(func(name string) error {
		if name != "log" {
			return p.skip(name)
		}
		if len(r.Logs) == MaxChannels {
			return p.tooMany(p.at, MaxChannels, "channels")
		}
		at := p.at
		var logs Logs
		if err := l.log(&logs); err != nil {
			return err
		}
		for i := range r.Logs {
			if r.Logs[i].Channel == logs.Channel {
				return p.fail(at, "channel %s is there twice", quote(logs.Channel))
			}
		}
		r.Logs = append(r.Logs, logs)
		return nil
	})
}

// log reads <log>.
func (p *logsParser) log(l *Logs) error {
	at := p.at
	for i := range p.attributes {
		a := &p.attributes[i]
		var err error
		switch a.name {
		case "channel":
			l.Channel = strings.Clone(a.value)
		case "epoch":
			l.Epoch, err = parseCount(a.value)
		case "begun":
			l.Begun = strings.Clone(a.value)
		case "why":
			l.Why = strings.Clone(a.value)
		case "record":
			l.Next.Record, err = parseCount(a.value)
		case "position":
			l.Next.Position = strings.Clone(a.value)
		case "more":
			l.More, err = parseFlag(a.value)
		}
		if err != nil {
			return p.failAttribute(a, err)
		}
	}
	l.Next.Epoch = l.Epoch
	if err := l.checkHead(); err != nil {
		return p.fail(at, "channel %s: %v", quote(l.Channel), err)
	}
	if p.asked != nil && p.asked.channel(l.Channel) == nil {
		return &AnswerError{l.Channel, ErrNotAsked}
	}
	err := p.children(func(name string) error {
		switch name {
		case "gap":
			return p.gap(l)
		case "record":
			return p.record(l)
		case "trouble":
			return p.trouble(l)
		}
		return p.skip(name)
	})
	if err != nil {
		return err
	}
	if err := l.checkEnd(lastID(l.Records)); err != nil {
		return p.fail(at, "channel %s: %v", quote(l.Channel), err)
	}
	return nil
}

func lastID(records []Record) int64 {
	if len(records) == 0 {
		return 0
	}
	return records[len(records)-1].ID
}

func (p *logsParser) gap(l *Logs) error {
	if len(l.Gaps) == MaxGaps {
		return p.tooMany(p.at, MaxGaps, "gaps of a channel")
	}
	var g Gap
	for i := range p.attributes {
		a := &p.attributes[i]
		var err error
		switch a.name {
		case "epoch":
			g.Epoch, err = parseCount(a.value)
		case "first":
			g.First, err = parseCount(a.value)
		case "last":
			g.Last, err = parseCount(a.value)
		case "possible":
			g.Possible, err = parseFlag(a.value)
		case "reason":
			g.Reason = strings.Clone(a.value)
		}
		if err != nil {
			return p.failAttribute(a, err)
		}
	}
	l.Gaps = append(l.Gaps, g)
	if err := checkGaps(l.Gaps[len(l.Gaps)-1:]); err != nil {
		return p.fail(p.at, "%v", err)
	}
	return p.leaf()
}

func (p *logsParser) trouble(l *Logs) error {
	if l.Trouble != nil {
		return p.fail(p.at, "<trouble> stands twice")
	}
	var t Trouble
	for i := range p.attributes {
		switch a := &p.attributes[i]; a.name {
		case "kind":
			t.Kind = TroubleKind(strings.Clone(a.value))
		case "text":
			t.Text = strings.Clone(a.value)
		}
	}
	if err := t.check(); err != nil {
		return p.fail(p.at, "%v", err)
	}
	l.Trouble = &t
	return p.leaf()
}

// record reads <record>.
func (p *logsParser) record(l *Logs) error {
	at := p.at
	if p.records == MaxRecords {
		return p.tooMany(at, MaxRecords, "records")
	}
	var r Record
	if err := p.recordHead(&r); err != nil {
		return err
	}
	if err := p.recordBody(&r); err != nil {
		return err
	}
	if err := r.checkWords(); err != nil {
		return p.fail(at, "record %d: %v", r.ID, err)
	}
	if last := lastID(l.Records); r.ID <= last {
		return p.fail(at, "record %d comes after record %d", r.ID, last)
	}
	size, err := checkSize(&r)
	if err == nil {
		p.bytes += size
		p.records++
		err = checkTotal(p.records, p.bytes)
	}
	if err != nil {
		failed := p.fail(at, "record %d: %v", r.ID, err)
		failed.cause = ErrTooLarge
		return failed
	}
	if p.asked != nil {
		if err := p.asked.checkTotal(p.records, p.bytes); err != nil {
			return err
		}
	}
	p.before = r
	l.Records = append(l.Records, r)
	return nil
}

// recordHead reads the attributes of <record>.
func (p *logsParser) recordHead(r *Record) error {
	timed := false
	for i := range p.attributes {
		a := &p.attributes[i]
		var err error
		switch a.name {
		case "id":
			r.ID, err = parseCount(a.value)
		case "time":
			timed = true
			r.Time, err = parseTime(a.value)
		case "level":
			r.Level, err = parseLevel(a.value)
		case "event":
			r.Event, err = parseCount(a.value)
		case "source":
			r.Source = sharing(a.value, p.before.Source)
		case "computer":
			r.Computer = sharing(a.value, p.before.Computer)
		case "user":
			r.User = sharing(a.value, p.before.User)
		case "process":
			r.Process, err = parseCount(a.value)
		case "keywords":
			r.Keywords = sharing(a.value, p.before.Keywords)
		case "altered":
			r.Altered, err = parseFlag(a.value)
		}
		if err != nil {
			return p.failAttribute(a, err)
		}
	}
	if !timed {
		return p.fail(p.at, "<record> has no time")
	}
	return nil
}

// recordBody reads what is inside <record>.
func (p *logsParser) recordBody(r *Record) error {
	var message, raw bool
	return p.children(func(name string) (err error) {
		switch {
		case name == "message" && !message:
			message = true
			r.Message, err = p.content(MaxMessage)
		case name == "raw" && !raw:
			raw = true
			r.Raw, err = p.content(MaxRaw)
		case name == "message" || name == "raw":
			err = p.fail(p.at, "<%s> stands twice", name)
		case name == "data":
			err = p.data(r)
		default:
			err = p.skip(name)
		}
		return err
	})
}

func (p *logsParser) data(r *Record) error {
	n := len(r.Data)
	if n == MaxFields {
		return p.tooMany(p.at, MaxFields, "pieces of data of a record")
	}
	var f Field
	if i := p.find("name"); i >= 0 {
		f.Name = p.attributes[i].value
		if n < len(p.before.Data) {
			f.Name = sharing(f.Name, p.before.Data[n].Name)
		} else {
			f.Name = strings.Clone(f.Name)
		}
		if err := checkText(f.Name, MaxWord); err != nil {
			return p.failAttribute(&p.attributes[i], err)
		}
	}
	var err error
	if f.Value, err = p.content(MaxField); err != nil {
		return err
	}
	if r.Data == nil {
		r.Data = make([]Field, 0, max(1, min(len(p.before.Data), mostLikely)))
	}
	r.Data = append(r.Data, f)
	return nil
}

// sharing returns a copy of a part of the document, or the text that equals it and is kept already.
func sharing(text, kept string) string {
	if text == kept {
		return kept
	}
	return strings.Clone(text)
}

// parseCount reads a number from 0 on.
func parseCount(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !isDigits(text) {
		return 0, errors.New("it is not a number from 0 to 9223372036854775807")
	}
	return n, nil
}

// parseFlag reads a boolean as XML Schema writes it.
func parseFlag(text string) (bool, error) {
	switch text {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, errors.New("it is neither true nor false")
}

// parseLevel returns the level of a name, which does not share the document's memory.
func parseLevel(text string) (Level, error) {
	if text == "" {
		return "", nil
	}
	for _, level := range Levels() {
		if string(level) == text {
			return level, nil
		}
	}
	return "", fmt.Errorf("there is no level %s", quote(text))
}
