package store

import (
	"cmp"
	"context"
	"time"

	"gorm.io/gorm"
)

// How much one statement reads of log records.
const (
	logStep      = 5000    // rows that it looks at, where most of them may not be wanted
	logPage      = 500     // rows that it returns at most …
	logPageBytes = 2 << 20 // … and after so many bytes of them no more are taken
)

// logReader reads the lines of one query.
type logReader struct {
	store *Store
	query *LogQuery
	order logOrder
	page  logPages
}

// logPages is how much one statement reads. Those of a Store are the constants above.
type logPages struct{ step, rows, bytes int }

// logOrder is the order in which lines are read.
type logOrder int

const (
	byTime    logOrder = iota // and by id where times are the same
	byTimeOld                 // the reverse
	byID
)

// logPlace is where a line is in both orders.
type logPlace struct {
	time time.Time
	id   int64
}

// compare orders places.
func (o logOrder) compare(a, b logPlace) int {
	switch o {
	case byID:
		return cmp.Compare(a.id, b.id)
	case byTimeOld:
		a, b = b, a
	}
	return cmp.Or(a.time.Compare(b.time), cmp.Compare(a.id, b.id))
}

// clause is the ORDER BY; column is the time's.
func (o logOrder) clause(column string) string {
	switch o {
	case byID:
		return "id"
	case byTimeOld:
		return column + " DESC, id DESC"
	}
	return column + ", id"
}

// after is the condition that a line comes after a place. The first part is the one that an index answers.
func (o logOrder) after(column string, p logPlace) where {
	var w where
	switch o {
	case byID:
		w.and("id > ?", p.id)
	case byTimeOld:
		w.and(column+" <= ?", p.time)
		w.and("("+column+" < ? OR id < ?)", p.time, p.id)
	case byTime:
		w.and(column+" >= ?", p.time)
		w.and("("+column+" > ? OR id > ?)", p.time, p.id)
	}
	return w
}

// upto is the condition that a line does not come after a place.
func (o logOrder) upto(column string, p logPlace) where {
	var w where
	switch o {
	case byID:
		w.and("id <= ?", p.id)
	case byTimeOld:
		w.and(column+" >= ?", p.time)
		w.and("("+column+" > ? OR id >= ?)", p.time, p.id)
	case byTime:
		w.and(column+" <= ?", p.time)
		w.and("("+column+" < ? OR id <= ?)", p.time, p.id)
	}
	return w
}

// logs gives the lines of a query to yield until that returns false.
func (s *Store) logs(ctx context.Context, q *LogQuery, yield func(LogLine, error) bool) error {
	r := &logReader{store: s, query: q, page: s.reads}
	if q.After > 0 {
		r.order = byID
	}
	var from *logPlace
	if q.Newest > 0 && r.order == byTime {
		place, err := r.newest(ctx)
		if err != nil {
			return err
		}
		if from = place; from == nil && !q.Gaps {
			return nil
		}
	}
	arms := r.arms(readRecords)
	if q.Gaps {
		arms = append(arms, r.gapArm())
	}
	if from != nil {
		before := logPlace{from.time, from.id - 1}
		for _, a := range arms {
			a.from = &before
		}
	}
	return merge(ctx, r.order, arms, func(l *logItem) bool { return yield(l.line, nil) })
}

// newest returns the place from which on there are as many records as are wanted; nil: there are none at all.
func (r *logReader) newest(ctx context.Context) (*logPlace, error) {
	back := *r
	back.order = byTimeOld
	back.page.rows = r.page.step // rows of two numbers
	var last *logPlace
	n := 0
	err := merge(ctx, byTimeOld, back.arms(readPlaces), func(l *logItem) bool {
		place := l.place
		last = &place
		n++
		return n < r.query.Newest
	})
	return last, err
}

// arms returns those that together read the records of the query. Each has a range of an index to itself, and looks in
// steps at what is there if not all of it is wanted.
func (r *logReader) arms(read func(*logArm, *gorm.DB, where) ([]logItem, bool, error)) []*logArm {
	q := r.query
	ranges := q.arms()
	if r.order == byID {
		ranges = []arm{{}} // of the primary key
	}
	var others where
	if r.order == byID || len(q.Hosts) > armsMost {
		others = q.place()
	}
	others = others.with(q.rest(r.store.engine))
	arms := make([]*logArm, len(ranges))
	for i, of := range ranges {
		inside := of.where.with(q.span("time")).with(q.positions())
		if r.order == byID { // the time is not what the index is about
			inside, others = q.positions(), others.with(q.span("time"))
		}
		arms[i] = &logArm{reader: r, table: r.store.engine.along("logs", of.index), column: "time", inside: inside, others: others, read: read}
	}
	return arms
}

// gapArm returns that which reads the gaps. They are few.
func (r *logReader) gapArm() *logArm {
	inside := r.query.place().with(r.query.span("found")).with(r.query.positions())
	return &logArm{reader: r, table: "log_gaps", column: "found", inside: inside, read: readGaps}
}

// merge takes the lines of arms in their order until take returns false.
func merge(ctx context.Context, order logOrder, arms []*logArm, take func(*logItem) bool) error {
	for {
		var first *logArm
		for _, a := range arms {
			if err := a.fill(ctx); err != nil {
				return err
			}
			if len(a.items) > 0 && (first == nil || order.compare(a.items[0].place, first.items[0].place) < 0) {
				first = a
			}
		}
		if first == nil || !take(&first.items[0]) {
			return nil
		}
		first.items[0] = logItem{} // its texts are the caller's alone now
		first.items = first.items[1:]
	}
}

// logItem is a line, and where it is.
type logItem struct {
	place logPlace
	line  LogLine
}

// logArm reads one range of one table, page by page.
type logArm struct {
	reader *logReader
	table  string // with the index to go along
	column string // of the time
	inside where  // the range
	others where  // what else is wanted of its rows; empty: all of them are wanted
	read   func(a *logArm, db *gorm.DB, w where) (items []logItem, more bool, err error)

	items []logItem // read and not yet taken
	from  *logPlace // what comes after it is not yet read; nil: nothing is
	end   *logPlace // the end of the step that is being read; nil: none, or there is none to the end of the range
	last  bool      // the step that is being read is the last one
	done  bool      // nothing is left to read
}

// fill reads the next page if no line is left of the one before.
func (a *logArm) fill(ctx context.Context) error {
	for len(a.items) == 0 && !a.done {
		err := a.reader.store.engine.retry(ctx, func() error {
			db, cancel := a.reader.store.read(ctx)
			defer cancel()
			return a.next(db)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// next reads a page.
func (a *logArm) next(db *gorm.DB) error {
	order := a.reader.order
	w := a.inside
	if a.from != nil {
		w = w.with(order.after(a.column, *a.from))
	}
	if a.end == nil && !a.last {
		if err := a.step(db, w); err != nil {
			return err
		}
	}
	if a.end != nil {
		w = w.with(order.upto(a.column, *a.end))
	}
	items, more, err := a.read(a, db, w.with(a.others))
	switch {
	case err != nil:
		return err
	case more:
		last := items[len(items)-1].place // a copy: items are emptied as they are taken
		a.from = &last
	case a.last:
		a.done = true
	default:
		a.from, a.end = a.end, nil
	}
	a.items = items
	return nil
}

// step finds how far the next statements may look.
func (a *logArm) step(db *gorm.DB, w where) error {
	if len(a.others.parts) == 0 {
		a.last = true // every row is wanted: a page's bound is enough
		return nil
	}
	var places []struct {
		ID   int64
		Time time.Time
	}
	err := db.Table(a.table).Select("id, "+a.column+" AS time").Where(w.sql(), w.values...).Order(a.order()).Offset(a.reader.page.step - 1).Limit(1).Scan(&places).Error
	if err != nil {
		return err
	}
	if len(places) == 0 {
		a.last = true
		return nil
	}
	a.end = &logPlace{places[0].Time.UTC(), places[0].ID}
	return nil
}

// order is the ORDER BY of the arm.
func (a *logArm) order() string { return a.reader.order.clause(a.column) }
