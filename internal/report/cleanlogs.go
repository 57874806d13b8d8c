package report

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// CleanRecord makes a record sendable, whatever is in it but an id below 1. In its message, data and raw form what XML 1.0 forbids, and each byte that is not UTF-8, is replaced by U+FFFD;
// its other texts, the names of its data among them, are cleaned as a statistic's instance is. What is longer than its
// bound is cut, and data beyond MaxFields left out. Of a record that is still larger than MaxRecord the longest texts are
// cut further. A level that is not known, and a number out of its range, becomes the zero value, a time beyond the years
// 1970 to 9999 the first or last of them. Altered is set where anything was changed. The record that is given stays as it is; what is returned may share its data.
func CleanRecord(r Record) Record {
	data := r.Data
	c := cleaner{}
	for _, word := range []*string{&r.Source, &r.Computer, &r.User, &r.Keywords} {
		*word = c.word(*word)
	}
	r.Message = c.content(r.Message, MaxMessage)
	r.Raw = c.content(r.Raw, MaxRaw)
	if len(data) > MaxFields {
		data, c.changed = data[:MaxFields], true
	}
	for i, f := range data {
		cleaned := Field{c.word(f.Name), c.content(f.Value, MaxField)}
		if cleaned != f {
			r.Data = c.own(r.Data, len(data))
			r.Data[i] = cleaned
		}
	}
	r.Data = r.Data[:len(data)]
	if !isLevel(r.Level) {
		r.Level, c.changed = "", true
	}
	for _, number := range []*int64{&r.Event, &r.Process} {
		if *number < 0 || *number > maxNumber {
			*number, c.changed = 0, true
		}
	}
	r.Time = c.time(r.Time)
	r.Altered = r.Altered || c.changed
	if r.Size() > MaxRecord {
		r.Data = c.own(r.Data, len(r.Data))
		r.shrink()
	}
	return r
}

// cleaner remembers whether it had to change anything, and whether the data of the record is its own.
type cleaner struct{ changed, owned bool }

func (c *cleaner) word(text string) string {
	cleaned := cleanText(text, MaxWord)
	c.changed = c.changed || cleaned != text
	return cleaned
}

func (c *cleaner) content(text string, most int) string {
	if forbiddenByte(text) >= 0 {
		text = replaceForbidden(text)
		c.changed = true
	}
	if n := validLength(text, most); n < len(text) {
		text = text[:n]
		c.changed = true
	}
	return text
}

func (c *cleaner) time(t time.Time) time.Time {
	t = t.UTC().Round(0) // without what the monotonic clock says
	if checkTime(t) == nil {
		return t
	}
	c.changed = true
	if t.Year() < 1970 {
		return time.Unix(0, 0).UTC()
	}
	return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
}

// own returns a copy of the data, the first time.
func (c *cleaner) own(data []Field, n int) []Field {
	if c.owned {
		return data
	}
	c.owned = true
	return append(make([]Field, 0, n), data[:n]...)
}

// replaceForbidden replaces what forbiddenByte finds.
func replaceForbidden(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return utf8.RuneError
		}
		return r
	}, text) // Map gives U+FFFD for each byte of invalid UTF-8
}

// shrink cuts the texts of a record, the longest first, until it is no larger than MaxRecord. Its data must be its own.
func (r *Record) shrink() {
	r.Altered = true
	for most := MaxRaw / 2; r.Size() > MaxRecord; most /= 2 {
		r.Raw = r.Raw[:validLength(r.Raw, most)]
		r.Message = r.Message[:validLength(r.Message, most)]
		for i := range r.Data {
			r.Data[i].Value = r.Data[i].Value[:validLength(r.Data[i].Value, most)]
		}
		if most == 0 { // even without values the names are too much
			r.Data = r.Data[:len(r.Data)/2]
		}
	}
}

// Clean makes the logs of a channel sendable: records go through CleanRecord, and the words of gaps and of trouble are
// cleaned and cut. Where nothing says the epoch it is the cursor's. What is still not sendable is an error of whoever read
// the channel, and returned: ids that do not ascend, a cursor before the last record, a position that is too long.
func (l *Logs) Clean() error {
	for i := range l.Records {
		l.Records[i] = CleanRecord(l.Records[i])
	}
	if l.Epoch == 0 {
		l.Epoch = l.Next.Epoch
	}
	l.Why = cleanText(l.Why, MaxWord)
	if further := len(l.Gaps) - MaxGaps; further > 0 {
		l.Gaps = l.Gaps[:MaxGaps]
		last := &l.Gaps[MaxGaps-1]
		last.Last = 0
		last.Reason = fmt.Sprintf("%s; %d further gaps after it are not named", last.Reason, further)
	}
	for i := range l.Gaps {
		l.Gaps[i].Reason = filled(cleanText(l.Gaps[i].Reason, MaxWord))
	}
	if t := l.Trouble; t != nil {
		t.Text = filled(cleanText(t.Text, MaxReason))
	}
	_, err := l.check()
	return err
}

func filled(reason string) string {
	if reason == "" {
		return "no reason was given"
	}
	return reason
}
