package wevt

import (
	"context"

	"muster/internal/client/logs"
	"muster/internal/report"
)

// place is where a reading begins.
type place struct {
	epoch int64
	why   string      // it begins an epoch; empty: it does not
	from  int64       // the id with which that epoch begins
	lost  []logs.Loss // what is told with it
	again bool        // the epoch began before: this reading is its first answer once more, and ends where that did
}

// Why an epoch begins.
const (
	firstReading = "first reading"
	firstRecords = "the first records of a log that was empty"
	wentBack     = "the log was made anew: its record ids went back"
	another      = "the log was made anew: the id of the last record read is another record's"
	madeAnew     = "the log was made anew"
	anewAgain    = "the log was made anew before it was known that its first records are kept"
)

// beginEmpty begins with a log without records. If it was never read before, whatever comes is to be read: that would not
// be known if nothing were written down of it. The epoch gets no records: there would be nothing to know their log by.
func (r *reading) beginEmpty() {
	if _, ok := r.begun(); ok || r.q.Cursor.Epoch != 0 {
		return
	}
	r.place = place{epoch: r.q.Fresh, why: firstReading}
	if r.q.Begun.Identity == empty {
		r.epoch = r.q.Begun.Number
	}
	r.moved = true
}

// begin finds out whether the log is still the one that was read before, and where to go on. An epoch that began in an answer
// that was perhaps kept comes before the cursor: it says that the cursor's log was gone by then.
func (r *reading) begin(ctx context.Context, newest *report.Record) error {
	r.end = passed{newest.ID, mark(newest)}
	oldest, err := r.oldest(ctx)
	if err != nil {
		return err
	}
	if oldest == 0 || oldest > newest.ID { // by now
		oldest = newest.ID
	}
	if begun, ok := r.begun(); ok {
		return r.beginAgain(ctx, begun, oldest)
	}
	cursor := r.q.Cursor
	switch {
	case cursor.Epoch == 0 && r.q.Begun.Identity != empty:
		return r.beginFirst(ctx, oldest)
	case cursor.Record == 0:
		r.beginWith(oldest, place{why: firstRecords}) // its ids may begin anywhere
		return nil
	}
	at, err := r.find(ctx, passed{cursor.Record, cursor.Position}, oldest)
	switch {
	case err != nil:
		return err
	case at != isAnother:
		r.place = place{epoch: cursor.Epoch}
		r.last = passed{cursor.Record, cursor.Position}
	case newest.ID < cursor.Record:
		r.beginWith(oldest, place{why: wentBack})
	default:
		r.beginWith(oldest, place{why: another})
	}
	return nil
}

// beginFirst begins a channel that was never read, as far back as is wanted.
func (r *reading) beginFirst(ctx context.Context, oldest int64) error {
	start := r.end.id // behind which to read
	switch {
	case r.q.Since < 0:
		start = oldest - 1
	case r.q.Since > 0:
		record, err := r.first(ctx, Selection{From: r.q.Now.Add(-r.q.Since)}, 1)
		if err != nil {
			return err
		}
		if record.ID > 0 {
			start = record.ID - 1
		}
	}
	r.beginWith(start+1, place{why: firstReading})
	if start == r.end.id {
		r.moveTo(r.end)
	}
	return nil
}

// beginWith begins a new epoch with the record of an id.
func (r *reading) beginWith(from int64, p place) {
	p.epoch, p.from = r.q.Fresh, from
	r.place = p
	r.last.id = from - 1
	r.tellGone()
}

// beginAgain begins where an epoch began in an answer that was perhaps kept, or, if its log is gone, with the oldest record of
// the one that is there: whatever came after that answer was promised.
func (r *reading) beginAgain(ctx context.Context, begun identity, oldest int64) error {
	at, err := r.find(ctx, begun.last, oldest)
	if err != nil {
		return err
	}
	if at == isAnother {
		gone := logs.Loss{Epoch: r.q.Begun.Number, First: begun.first}
		if r.isSuccessor(begun.lost) {
			gone.First = 1
		}
		r.beginWith(oldest, place{why: anewAgain, lost: append(begun.lost, gone)})
		return nil
	}
	r.place = place{epoch: r.q.Begun.Number, why: r.whyAgain(), from: begun.first, lost: begun.lost, again: true}
	r.end = begun.last
	r.tellGone()
	from := max(begun.first, oldest)
	if at == isGone {
		from = begun.last.id + 1
	}
	if from > begun.first {
		const reason = "the records are gone, and it is not known whether they were kept when they were read first"
		r.gaps = append(r.gaps, report.Gap{Epoch: r.epoch, First: begun.first, Last: from - 1, Possible: true, Reason: reason})
	}
	if r.last.id = from - 1; r.last.id == r.end.id {
		r.moveTo(r.end)
	}
	return nil
}

// isSuccessor reports whether an epoch's log took the place of one of which something was read: then its records were
// promised from the first on.
func (r *reading) isSuccessor(before []logs.Loss) bool {
	return r.q.Cursor.Record > 0 || len(before) > 0
}

// whyAgain returns why the epoch began that begins again.
func (r *reading) whyAgain() string {
	switch {
	case r.q.Cursor.Record > 0:
		return madeAnew
	case r.q.Cursor.Epoch > 0:
		return firstRecords
	}
	return firstReading
}

// tellGone tells what may be gone with the logs that were there before the one with which an epoch begins. It is told
// in each answer until the cursor is of that epoch: nobody knows which of them was kept.
func (r *reading) tellGone() {
	if cursor := r.q.Cursor; cursor.Record > 0 {
		const reason = "what came after the last record read may be gone with the old log"
		r.gaps = append(r.gaps, report.Gap{Epoch: cursor.Epoch, First: cursor.Record + 1, Possible: true, Reason: reason})
	}
	for _, l := range r.lost {
		const reason = "the log was gone before it was known that its first records are kept, with all that came after them"
		r.gaps = append(r.gaps, report.Gap{Epoch: l.Epoch, First: l.First, Possible: true, Reason: reason})
	}
	if r.isSuccessor(r.lost) && r.from > 1 {
		const reason = "the new log begins with a later record: those before may be gone"
		r.gaps = append(r.gaps, report.Gap{Epoch: r.epoch, First: 1, Last: r.from - 1, Possible: true, Reason: reason})
	}
}
