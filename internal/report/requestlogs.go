package report

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxProviders is how many providers one filter may name.
const maxProviders = 100

// longestSince is the longest time that a first reading may go back, short of all there is.
const longestSince = 100 * 366 * 24 * time.Hour

// appendLogRequest writes what is wanted of a channel:
//
//	<logs channel="Security" events="1102,4624-4625" levels="error warning" xpath="…" raw="true" messages="true"
//	 since="1h0m0s" epoch="3" record="512" position="…" fresh="4" begun="3" identity="…"><provider name="…"/></logs>
func appendLogRequest(b []byte, q *LogRequest) []byte {
	b = append(b, "<logs"...)
	b = appendAttribute(b, "channel", q.Channel)
	b = appendOptional(b, "events", q.Filter.Events.String())
	for i, level := range q.Filter.Levels {
		if i == 0 {
			b = append(b, " levels=\""...)
		} else {
			b = append(b, ' ')
		}
		b = append(b, level...)
	}
	if len(q.Filter.Levels) > 0 {
		b = append(b, '"')
	}
	b = appendOptional(b, "xpath", q.Filter.XPath)
	b = appendFlag(b, "raw", q.Raw)
	b = appendFlag(b, "messages", q.Messages)
	switch {
	case q.Since == SinceAll:
		b = appendAttribute(b, "since", sinceAll)
	case q.Since > 0:
		b = appendAttribute(b, "since", q.Since.String())
	}
	b = appendCount(b, "epoch", q.Cursor.Epoch)
	b = appendCount(b, "record", q.Cursor.Record)
	b = appendOptional(b, "position", q.Cursor.Position)
	b = appendCount(b, "fresh", q.Fresh)
	b = appendCount(b, "begun", q.Begun.Number)
	b = appendOptional(b, "identity", q.Begun.Identity)
	b = append(b, '>')
	for _, provider := range q.Filter.Providers {
		b = append(b, "<provider"...)
		b = appendAttribute(b, "name", provider)
		b = append(b, "/>"...)
	}
	return append(b, "</logs>"...)
}

const sinceAll = "all"

// checkLogs returns why the request's part about logs can't be sent, or nil.
func (r *Request) checkLogs() error {
	switch {
	case r.Part < 0 || r.Part > MaxParts:
		return fmt.Errorf("the part %d is not between 0 and %d", r.Part, MaxParts)
	case r.Records < 0 || r.Records > MaxRecords:
		return fmt.Errorf("%d records are not between 0 and %d", r.Records, MaxRecords)
	case r.Bytes < 0 || r.Bytes > MaxRecordBytes:
		return fmt.Errorf("%d bytes are not between 0 and %d", r.Bytes, MaxRecordBytes)
	case len(r.Logs) > MaxChannels:
		return fmt.Errorf("%d channels are %w (%d)", len(r.Logs), ErrTooLarge, MaxChannels)
	}
	for i := range r.Logs {
		q := &r.Logs[i]
		if slices.ContainsFunc(r.Logs[:i], func(o LogRequest) bool { return o.Channel == q.Channel }) {
			return fmt.Errorf("channel %s is there twice", quote(q.Channel))
		}
		if err := q.check(); err != nil {
			return fmt.Errorf("channel %s: %w", quote(q.Channel), err)
		}
	}
	return nil
}

func (q *LogRequest) check() error {
	if err := checkChannel(q.Channel); err != nil {
		return err
	}
	if err := q.Filter.check(); err != nil {
		return err
	}
	if q.Since != SinceAll && (q.Since < 0 || q.Since > longestSince) {
		return fmt.Errorf("since %s is not between 0 and %s", q.Since, longestSince)
	}
	if err := q.Cursor.check(); err != nil {
		return err
	}
	if q.Fresh <= q.Cursor.Epoch {
		return errors.New("the number of a fresh epoch is not greater than that of the cursor")
	}
	if q.Begun.Number < 0 || (q.Begun.Number == 0) != (q.Begun.Identity == "") {
		return errors.New("an epoch that was begun has a number and an identity, or neither")
	}
	if err := checkIdentity(q.Begun.Identity); err != nil {
		return fmt.Errorf("the identity of an epoch: %w", err)
	}
	return nil
}

func (f *Filter) check() error {
	if len(f.Events) > maxRanges || len(f.Providers) > maxProviders || len(f.Levels) > len(Levels()) {
		return fmt.Errorf("its events, levels or providers are %w (%d, %d, %d)", ErrTooLarge, maxRanges, len(Levels()), maxProviders)
	}
	for _, e := range f.Events {
		if e.First < 0 || e.Last < e.First || e.Last > maxEvent {
			return errors.New("a range of events ends before it begins, or is not of event ids")
		}
	}
	for _, level := range f.Levels {
		if level == "" || !isLevel(level) {
			return fmt.Errorf("there is no level %s", quote(string(level)))
		}
	}
	for _, provider := range f.Providers {
		if err := checkFilled(strings.TrimPrefix(provider, "!"), MaxWord); err != nil {
			return fmt.Errorf("a provider: %w", err)
		}
	}
	if err := checkText(f.XPath, MaxXPath); err != nil {
		return fmt.Errorf("the XPath: %w", err)
	}
	return nil
}

// logRequest reads <logs>.
func (p *parser) logRequest(r *Request) error {
	if len(r.Logs) == MaxChannels {
		return p.tooMany(p.at, MaxChannels, "channels")
	}
	var q LogRequest
	for i := range p.attributes {
		a := &p.attributes[i]
		if err := q.set(a); err != nil {
			return p.failAttribute(a, err)
		}
	}
	err := p.children(func(name string) error {
		if name != "provider" {
			return p.skip(name)
		}
		i := p.find("name")
		if i < 0 {
			return p.fail(p.at, "<provider> has no name")
		}
		if len(q.Filter.Providers) == maxProviders {
			return p.tooMany(p.at, maxProviders, "providers of a channel")
		}
		q.Filter.Providers = append(q.Filter.Providers, strings.Clone(p.attributes[i].value))
		return p.leaf()
	})
	if err != nil {
		return err
	}
	r.Logs = append(r.Logs, q)
	return nil
}

// set takes the value of an attribute.
func (q *LogRequest) set(a *attribute) (err error) {
	switch a.name {
	case "channel":
		q.Channel = strings.Clone(a.value)
	case "events":
		q.Filter.Events, err = parseOptionalEvents(a.value)
	case "levels":
		q.Filter.Levels, err = parseLevels(a.value)
	case "xpath":
		q.Filter.XPath = strings.Clone(a.value)
	case "raw":
		q.Raw, err = parseFlag(a.value)
	case "messages":
		q.Messages, err = parseFlag(a.value)
	case "since":
		q.Since, err = parseSince(a.value)
	case "epoch":
		q.Cursor.Epoch, err = parseCount(a.value)
	case "record":
		q.Cursor.Record, err = parseCount(a.value)
	case "position":
		q.Cursor.Position = strings.Clone(a.value)
	case "fresh":
		q.Fresh, err = parseCount(a.value)
	case "begun":
		q.Begun.Number, err = parseCount(a.value)
	case "identity":
		q.Begun.Identity = strings.Clone(a.value)
	}
	return err
}

func parseOptionalEvents(text string) (Events, error) {
	if text == "" {
		return nil, nil
	}
	return ParseEvents(text)
}

func parseLevels(text string) ([]Level, error) {
	var levels []Level
	for word := range strings.FieldsSeq(text) {
		level, err := parseLevel(word)
		if err != nil {
			return nil, err
		}
		if len(levels) == len(Levels()) {
			return nil, fmt.Errorf("there are more than %d levels", len(levels))
		}
		levels = append(levels, level)
	}
	return levels, nil
}

func parseSince(text string) (time.Duration, error) {
	if text == sinceAll {
		return SinceAll, nil
	}
	return parseDuration(text)
}

// parseInt reads a number from 0 to most.
func parseInt(text string, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || !isDigits(text) || n > most {
		return 0, fmt.Errorf("it is not a number from 0 to %d", most)
	}
	return n, nil
}
