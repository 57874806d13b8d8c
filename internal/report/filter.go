package report

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Filter selects records. The zero value selects all.
type Filter struct {
	Events    Events
	Levels    []Level  // any of these; empty: all
	Providers []string // sources: any of those without "!" before it, if there are any, and none of those with it
	XPath     string   // of the Windows event log, which evaluates it; Match does not
}

// Match reports whether a record is selected. XPath is not looked at.
func (f *Filter) Match(r *Record) bool {
	return f.Events.Has(r.Event) &&
		(len(f.Levels) == 0 || slices.Contains(f.Levels, r.Level)) &&
		f.provided(r.Source)
}

func (f *Filter) provided(source string) bool {
	wanted, named := false, false
	for _, p := range f.Providers {
		name, excluded := strings.CutPrefix(p, "!")
		switch {
		case excluded && strings.EqualFold(name, source):
			return false
		case !excluded:
			named = true
			wanted = wanted || strings.EqualFold(name, source)
		}
	}
	return wanted || !named
}

// IsZero reports whether the filter selects all records.
func (f *Filter) IsZero() bool {
	return len(f.Events) == 0 && len(f.Levels) == 0 && len(f.Providers) == 0 && f.XPath == ""
}

// Events is a selection of event ids: all where it is empty or only excludes.
type Events []EventRange

// EventRange is the ids from First to Last.
type EventRange struct {
	First, Last int64
	Exclude     bool
}

const (
	maxEvent  = 1<<32 - 1
	maxRanges = 100
)

// ParseEvents reads a selection such as "1102,4624-4625,!4634". White space around its parts is passed over.
func ParseEvents(text string) (Events, error) {
	var events Events
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		rest, exclude := strings.CutPrefix(part, "!")
		first, last, isRange := strings.Cut(rest, "-")
		r := EventRange{Exclude: exclude}
		var err error
		if r.First, err = parseEvent(first); err != nil {
			return nil, err
		}
		r.Last = r.First
		if isRange {
			if r.Last, err = parseEvent(last); err != nil {
				return nil, err
			}
		}
		if r.Last < r.First {
			return nil, fmt.Errorf("%s ends before it begins", quote(part))
		}
		if len(events) == maxRanges {
			return nil, fmt.Errorf("there are more than %d events and ranges", maxRanges)
		}
		events = append(events, r)
	}
	return events, nil
}

func parseEvent(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if !isDigits(text) {
		return 0, errors.New(`event ids are numbers and ranges like "1102,4624-4625,!4634"`)
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id > maxEvent {
		return 0, fmt.Errorf("%s is no event id: the largest is %d", quote(text), int64(maxEvent))
	}
	return id, nil
}

// Has reports whether an event is selected.
func (e Events) Has(id int64) bool {
	wanted, named := false, false
	for _, r := range e {
		in := r.First <= id && id <= r.Last
		switch {
		case r.Exclude && in:
			return false
		case !r.Exclude:
			named = true
			wanted = wanted || in
		}
	}
	return wanted || !named
}

// String returns the selection as ParseEvents reads it.
func (e Events) String() string {
	var b strings.Builder
	for i, r := range e {
		if i > 0 {
			b.WriteByte(',')
		}
		if r.Exclude {
			b.WriteByte('!')
		}
		b.WriteString(strconv.FormatInt(r.First, 10))
		if r.Last != r.First {
			b.WriteByte('-')
			b.WriteString(strconv.FormatInt(r.Last, 10))
		}
	}
	return b.String()
}
