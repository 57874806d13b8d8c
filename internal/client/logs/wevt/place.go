package wevt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"muster/internal/report"
)

// place is where a reading begins.
type place struct {
	epoch    int64
	why      string // it begins an epoch; empty: it does not
	identity string // of that epoch; empty: that of the last record of this reading
	promised bool   // the record that follows is the next to be read: one with another id leaves a gap
}

// empty is the identity of an epoch that began in a log without records.
const empty = "empty"

// Why an epoch begins.
const (
	firstReading = "first reading"
	wentBack     = "the log was made anew: its record ids went back"
	another      = "the log was made anew: the id of the last record read is another record's"
)

// beginEmpty begins with a log without records. If it was never read before, whatever comes is to be read: that would not
// be known if the epoch began later.
func (r *reading) beginEmpty() {
	begun := r.q.Begun
	if r.q.Cursor.Epoch != 0 || begun.Number != 0 && begun.Identity != empty {
		return
	}
	r.place = place{epoch: r.q.Fresh, why: firstReading, identity: empty}
	if begun.Number != 0 {
		r.epoch = begun.Number
	}
	r.moved = true
}

// begin finds out whether the log is still the one that the cursor is of, and where to go on.
func (r *reading) begin(ctx context.Context, newest *report.Record) error {
	oldest, err := r.oldest(ctx)
	if err != nil {
		return err
	}
	if oldest == 0 || oldest > newest.ID { // by now
		oldest = newest.ID
	}
	cursor := r.q.Cursor
	switch {
	case cursor.Epoch == 0:
		return r.beginFirst(ctx, oldest, newest)
	case cursor.Record == 0: // it was empty, and its ids may begin anywhere
		r.place = place{epoch: cursor.Epoch}
		return nil
	case newest.ID < cursor.Record:
		return r.beginAnew(ctx, wentBack, oldest, newest)
	case oldest <= cursor.Record:
		record, err := r.record(ctx, cursor.Record)
		if err != nil {
			return err
		}
		if record.ID != 0 && cursor.Position != "" && mark(&record) != cursor.Position {
			return r.beginAnew(ctx, another, oldest, newest)
		}
	}
	r.place = place{epoch: cursor.Epoch, promised: true}
	r.last = passed{cursor.Record, cursor.Position}
	return nil
}

// beginFirst begins a channel that was never read, as far back as is wanted.
func (r *reading) beginFirst(ctx context.Context, oldest int64, newest *report.Record) error {
	r.place = place{why: firstReading, promised: true}
	if r.q.Begun.Identity == empty {
		r.epoch, r.identity, r.promised = r.q.Begun.Number, empty, false
		return nil
	}
	begun, err := r.number(ctx, oldest, newest)
	if err != nil {
		return err
	}
	start := newest.ID // behind which to read
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
	switch {
	case begun != 0 && begun < start: // what came since was promised
		r.last.id = begun
	case start == newest.ID:
		r.moveTo(newest)
	default:
		r.last.id = start
	}
	return nil
}

// beginAnew begins with the oldest record of a log that is not the one that was read before.
func (r *reading) beginAnew(ctx context.Context, why string, oldest int64, newest *report.Record) error {
	r.place = place{why: why, promised: true}
	if _, err := r.number(ctx, oldest, newest); err != nil {
		return err
	}
	const reason = "what came after the last record read may be gone with the old log"
	cursor := r.q.Cursor
	r.gaps = append(r.gaps, report.Gap{Epoch: cursor.Epoch, First: cursor.Record + 1, Possible: true, Reason: reason})
	if oldest > 1 {
		const reason = "the new log begins with a later record: those before may be gone"
		r.gaps = append(r.gaps, report.Gap{Epoch: r.epoch, First: 1, Last: oldest - 1, Possible: true, Reason: reason})
	}
	r.last.id = oldest - 1
	return nil
}

// number gives the epoch that begins its number: that of the one that was begun before, if that is this one; then it returns
// the id of the last record of that beginning. Where that record is older than the oldest, the epoch can go on all the same:
// it has nothing yet of what is there.
func (r *reading) number(ctx context.Context, oldest int64, newest *report.Record) (begun int64, err error) {
	r.epoch = r.q.Fresh
	id, wanted, ok := parseIdentity(r.q.Begun.Identity)
	if !ok || id > newest.ID || r.q.Begun.Number <= r.q.Cursor.Epoch { // long kept
		return 0, nil
	}
	if id >= oldest {
		record, err := r.record(ctx, id)
		if err != nil {
			return 0, err
		}
		if record.ID != id || mark(&record) != wanted {
			return 0, nil
		}
	}
	r.epoch, r.identity = r.q.Begun.Number, r.q.Begun.Identity
	return id, nil
}

// newest returns the newest record that can be rendered; one without an id where there is none. One that is older than what
// was read would mean that ids went back, which is not so where a newer one can't be rendered.
func (r *reading) newest(ctx context.Context) (report.Record, error) {
	r.skipped = false
	record, err := r.first(ctx, Selection{NewestFirst: true}, unread)
	begun, _, _ := parseIdentity(r.q.Begun.Identity)
	if err == nil && r.skipped && record.ID < max(r.q.Cursor.Record, begun) {
		err = errUnreadable
	}
	return record, err
}

// oldest returns the id of the oldest record; 0 where there is none.
func (r *reading) oldest(ctx context.Context) (int64, error) {
	if id, err := r.log.Oldest(r.q.Channel); err == nil {
		return id, nil
	}
	record, err := r.first(ctx, Selection{}, unread) // Windows says nothing about some channels
	return record.ID, err
}

// record returns the record of this id, or one without an id where it is not there.
func (r *reading) record(ctx context.Context, id int64) (report.Record, error) {
	results, err := r.log.Query(r.q.Channel, Selection{})
	if err != nil {
		return report.Record{}, err
	}
	record, err := r.at(ctx, results, id)
	results.Close()
	if err == nil && record.ID == id {
		return record, nil
	}
	if errors.Is(err, errStopped) {
		return report.Record{}, err
	}
	// There is no telling why it is not found there, but it is between the oldest and the newest.
	record, err = r.first(ctx, Selection{Only: id}, 1)
	if record.ID != id {
		record = report.Record{}
	}
	if errors.Is(err, errUnreadable) {
		err = nil
	}
	return record, err
}

// at returns the record at which results stand that are moved to an id, and moves behind it.
func (r *reading) at(ctx context.Context, results Results, id int64) (report.Record, error) {
	if err := results.MoveTo(id); err != nil {
		return report.Record{}, err
	}
	record, err := one(ctx, results)
	if errors.Is(err, NoMoreItems) {
		err = nil
	}
	return record, err
}

// errUnreadable is records that Windows can't render.
var errUnreadable = errors.New("the records can't be rendered")

// first returns the first record of a selection, of so many, that can be rendered; one without an id where there is none.
func (r *reading) first(ctx context.Context, s Selection, of int) (report.Record, error) {
	var record report.Record
	var err error
	for range patience {
		if record, err = r.tryFirst(ctx, s, of); !passing(err) {
			return record, err
		}
	}
	if errors.Is(err, InvalidOperation) {
		err = nil // this is how this Windows says that there is none
	}
	return record, err
}

func (r *reading) tryFirst(ctx context.Context, s Selection, of int) (report.Record, error) {
	results, err := r.log.Query(r.q.Channel, s)
	if err != nil {
		return report.Record{}, err
	}
	defer results.Close()
	for range of {
		record, err := one(ctx, results)
		if errors.Is(err, NoMoreItems) {
			return report.Record{}, nil
		}
		if err != nil || record.ID != 0 {
			return record, err
		}
		r.skipped = true
	}
	return report.Record{}, errUnreadable
}

// one reads one record, which has no id where it can't be rendered.
func one(ctx context.Context, results Results) (report.Record, error) {
	if ctx.Err() != nil {
		return report.Record{}, errStopped
	}
	var events [1]Event
	n, err := results.Next(ctx, events[:])
	switch {
	case err != nil:
		return report.Record{}, err
	case n == 0:
		return report.Record{}, NoMoreItems
	}
	defer closeAll(events[:n])
	record, err := render(events[0])
	var code Code
	if asCode(err, &code) && code.ofResults() {
		return report.Record{}, err
	}
	return record, nil
}

// mark tells a record from every other that has its id: a hash of what Windows prints alike in all its versions. Without a
// time that is not enough, and it is one of the whole XML.
func mark(r *report.Record) string {
	text := fmt.Sprintf("%d %d %d %s", r.ID, r.Time.UnixNano(), r.Event, r.Source)
	if r.Time.IsZero() {
		text = r.Raw
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}

// identity is that of the epoch that has this record.
func identity(p passed) string { return strconv.FormatInt(p.id, 10) + " " + p.mark }

func parseIdentity(text string) (id int64, mark string, ok bool) {
	number, mark, _ := strings.Cut(text, " ")
	id, err := strconv.ParseInt(number, 10, 64)
	return id, mark, err == nil && id > 0 && mark != ""
}
