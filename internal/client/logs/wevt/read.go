package wevt

import (
	"context"
	"errors"
	"strings"
	"time"

	"muster/internal/client/logs"
	"muster/internal/client/logs/winevent"
	"muster/internal/report"
)

const (
	batchSize = 64    // events at a time, at first
	near      = 10000 // new records that are all read, and selected here, before Windows is asked to select
	patience  = 10    // failures in a row after which a reading is given up: each has the query made anew
	unread    = 16    // of the newest records, so many may be such that Windows can't render them
)

// Read reads a channel of the event log as a logs.Reader does. The log stays open.
func Read(ctx context.Context, log Log, q logs.Query) report.Logs {
	r := &reading{log: log, q: &q, batch: logs.NewBatch(&q), filtered: !q.Filter.IsZero(), size: batchSize}
	err := r.read(ctx)
	if errors.Is(err, errStopped) {
		r.more, err = true, nil
		if !r.moved && q.Filter.XPath != "" { // it will be so the next time
			err = Timeout
		}
	}
	answer := r.answer()
	if err != nil {
		answer.Trouble = trouble(q.Channel, err)
	}
	return answer
}

// errStopped is the end of the context: no failure, but there is more.
var errStopped = errors.New("the time is over")

// asCode is errors.As for a Code.
func asCode(err error, code *Code) bool { return errors.As(err, code) }

// reading is one call of Read.
type reading struct {
	log      Log
	q        *logs.Query
	filtered bool
	batch    *logs.Batch
	gaps     []report.Gap
	more     bool

	place          // where it began
	end     passed // the newest record that there was then; or, where an epoch begins again, the last that it began with
	last    passed // the last record that was read or passed over; its id alone, where it was never seen
	moved   bool   // whether last is further than where it began
	broken  bool   // Windows could not render a record behind last
	cleared bool   // the log was cleared while Windows selected: any record behind last may be gone

	skipped bool // Windows could not render a record that stands before the one that first returned

	all  bool // all records are looked at: nothing is left to Windows to select
	size int  // of a batch
}

// read finds where to begin and reads.
func (r *reading) read(ctx context.Context) error {
	if isQueryList(r.q.Filter.XPath) {
		if err := checkQueryList(r.q.Filter.XPath, r.q.Channel); err != nil {
			return queryError{err}
		}
	}
	newest, err := r.newest(ctx)
	if err != nil {
		return err
	}
	if newest.ID == 0 {
		r.beginEmpty()
		return nil
	}
	if err := r.begin(ctx, &newest); err != nil {
		return err
	}
	if r.last.id < r.end.id {
		r.all = r.q.Filter.XPath == "" && (!r.filtered || r.end.id-r.last.id <= near)
		if err := r.search(ctx); err != nil {
			return err
		}
	}
	if selected := r.filtered && !r.all; !r.more && (r.last.id == r.end.id || selected && r.last.id < r.end.id) {
		r.passOver()
	}
	r.more = r.more || r.last.id == r.end.id && r.end.id < newest.ID
	return nil
}

// search reads until the end, or until the batch is full. Windows may go through the whole log to find what is selected:
// where that takes half of the time, the rest of it is for reading what follows and selecting here, which gets on whatever
// there is.
func (r *reading) search(ctx context.Context) error {
	end, bounded := ctx.Deadline()
	if r.all || !bounded || r.q.Filter.XPath != "" {
		return r.records(ctx)
	}
	half, cancel := context.WithTimeout(ctx, time.Until(end)/2)
	defer cancel()
	err := r.records(half)
	if (errors.Is(err, errStopped) || errors.Is(err, Timeout)) && ctx.Err() == nil {
		r.all = true
		err = r.records(ctx)
	}
	return err
}

// passOver moves to the end: what lies before it and was not read is not selected.
func (r *reading) passOver() {
	if r.broken && r.last.id < r.end.id {
		r.gap(r.end.id)
	}
	r.moveTo(r.end)
}

// records reads until the end, or until the batch is full.
func (r *reading) records(ctx context.Context) error {
	var results Results
	shut := func() {
		if results != nil {
			results.Close()
			results = nil
		}
	}
	defer shut()
	failures, ends := 0, 0
	for !r.more {
		before := r.last.id
		err := error(nil)
		if results == nil {
			results, err = r.open(ctx)
		}
		if err == nil {
			err = r.next(ctx, results)
		}
		if r.last.id > before {
			failures, ends = 0, 0
		}
		if err == nil {
			continue
		}
		if errors.Is(err, InvalidOperation) {
			ends++ // the same from new results: this is how this Windows says that there is no more
		}
		if errors.Is(err, NoMoreItems) || ends > 1 {
			return r.rotated(ctx, true)
		}
		if failures++; !r.remedy(err) || failures > patience {
			return err
		}
		shut()
	}
	return nil
}

// remedy reports whether a failure is one after which the query is made anew, and sees to it that it is another one where
// that helps.
func (r *reading) remedy(err error) bool {
	var code Code
	if !asCode(err, &code) {
		return false
	}
	switch {
	case code == InvalidBound:
		r.size = max(1, r.size/2)
		return true
	case passing(err):
		return true
	case code.ofQuery() && !r.all && r.q.Filter.XPath == "":
		r.all = true // a filter of ours, and a Windows that does not take it
		return true
	}
	return false
}

// passing reports whether a failure may be gone with new results.
func passing(err error) bool {
	return errors.Is(err, ResultStale) || errors.Is(err, InvalidBound) || errors.Is(err, InvalidOperation)
}

// open makes the query behind the last record. A position is better than a condition on the id, for which Windows goes
// through the log from its beginning. But whether the position is the right one is only known by the record that is there.
func (r *reading) open(ctx context.Context) (Results, error) {
	var s Selection
	if !r.all {
		s.Filter = &r.q.Filter
	}
	if r.last.id == 0 {
		return r.log.Query(r.q.Channel, s)
	}
	results, err := r.log.Query(r.q.Channel, s)
	if err != nil {
		return nil, err
	}
	record, err := r.at(ctx, results, r.last.id)
	if err == nil && record.ID == r.last.id {
		return results, nil
	}
	results.Close()
	if errors.Is(err, errStopped) {
		return nil, err
	}
	s.Above = r.last.id
	return r.log.Query(r.q.Channel, s)
}

// next takes one batch of events.
func (r *reading) next(ctx context.Context, results Results) error {
	if ctx.Err() != nil {
		return errStopped
	}
	events := make([]Event, min(r.size, max(1, r.q.Records)))
	n, err := results.Next(ctx, events)
	if errors.Is(err, Timeout) && r.moved {
		return errStopped
	}
	defer closeAll(events[:n])
	if err == nil {
		err = r.rotated(ctx, false)
	}
	if err != nil {
		return err
	}
	for _, event := range events[:n] {
		if ctx.Err() != nil {
			return errStopped
		}
		if err := r.take(event); err != nil || r.more {
			return err
		}
	}
	return nil
}

func closeAll(events []Event) {
	for _, e := range events {
		e.Close()
	}
}

// take takes one event into the batch, or passes it over.
func (r *reading) take(event Event) error {
	record, err := render(event)
	if err != nil || record.ID == 0 {
		var code Code
		if asCode(err, &code) && code.ofResults() {
			return err
		}
		r.broken = true
		return nil
	}
	if record.ID <= r.last.id {
		return nil // Windows stands before where we were
	}
	if r.again && record.ID > r.end.id {
		r.stop()
		return nil
	}
	here := passed{record.ID, mark(&record)}
	if r.q.Filter.Match(&record) {
		r.addWords(event, &record)
		if r.more = !r.batch.Add(record); r.more {
			return nil
		}
	}
	r.unseen(record.ID - 1)
	r.moveTo(here)
	r.more = r.batch.Full() || len(r.gaps) >= report.MaxGaps
	return nil
}

// stop ends a reading of an epoch that begins again, where a record is found that follows those that it began with.
func (r *reading) stop() {
	r.unseen(r.end.id)
	r.moveTo(r.end)
	r.more = true
}

// addWords adds to a record what its publisher says, where that is wanted and the XML does not say it.
func (r *reading) addWords(event Event, record *report.Record) {
	if !r.q.Messages || record.Message != "" {
		return
	}
	words, err := event.Words(record.Source)
	if err != nil {
		return // many publishers have none, or are not installed any more; the record is complete without
	}
	record.Message = words.Message
	if len(words.Keywords) > 0 {
		record.Keywords = strings.Join(words.Keywords, "; ")
	}
}

// moveTo makes a record the last one.
func (r *reading) moveTo(p passed) {
	r.last, r.moved, r.broken, r.cleared = p, true, false, false
}

// answer is what the report says. A reading that did not move leaves everything as it was: the next one begins it anew.
func (r *reading) answer() report.Logs {
	if !r.moved {
		return report.Logs{Channel: r.q.Channel, Epoch: r.q.Cursor.Epoch, Next: r.q.Cursor, More: r.more}
	}
	a := report.Logs{
		Channel: r.q.Channel, Epoch: r.epoch, Why: r.why,
		Records: r.batch.Records(), Gaps: r.gaps, More: r.more,
		Next: report.Cursor{Epoch: r.epoch, Record: r.last.id, Position: r.last.mark},
	}
	switch {
	case r.again:
		a.Begun = r.q.Begun.Identity
	case r.why != "":
		a.Begun = identity{r.from, r.last, r.lost}.String()
	}
	return a
}

// render returns an event as a record. What is malformed in its XML is no error where it has an id.
func render(event Event) (report.Record, error) {
	document, err := event.XML()
	if err != nil {
		return report.Record{}, err
	}
	record, err := winevent.ParseUTF16(document)
	if record.ID > 0 {
		err = nil
	}
	return record, err
}
