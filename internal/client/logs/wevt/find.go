package wevt

import (
	"context"
	"errors"

	"muster/internal/report"
)

// newest returns the newest record that can be rendered; one without an id where there is none. One that is older than what
// was read would mean that ids went back, which is not so where a newer one can't be rendered.
func (r *reading) newest(ctx context.Context) (report.Record, error) {
	r.skipped = false
	record, err := r.first(ctx, Selection{NewestFirst: true}, unread)
	begun, _ := r.begun()
	if err == nil && r.skipped && record.ID < max(r.q.Cursor.Record, begun.last.id) {
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
