package store

import (
	"slices"
	"strings"

	"muster/internal/report"
)

// where is a condition of SQL: its parts, all of which are to hold, and their values.
type where struct {
	parts  []string
	values []any
}

// and adds a part.
func (w *where) and(part string, values ...any) {
	w.parts = append(w.parts, part)
	w.values = append(w.values, values...)
}

// with returns the condition with those of another; the parts of both stay as they are.
func (w where) with(other where) where {
	return where{append(slices.Clip(w.parts), other.parts...), append(slices.Clip(w.values), other.values...)}
}

// sql returns the condition for a WHERE.
func (w *where) sql() string {
	if len(w.parts) == 0 {
		return "1 = 1"
	}
	return strings.Join(w.parts, " AND ")
}

// span is what a query wants of the time of records, or of gaps.
func (q *LogQuery) span(column string) where {
	var w where
	if !q.Since.IsZero() {
		w.and(column+" >= ?", stamp(q.Since))
	}
	if !q.Until.IsZero() {
		w.and(column+" < ?", stamp(q.Until))
	}
	return w
}

// positions is what a query wants of ids.
func (q *LogQuery) positions() where {
	var w where
	if q.After > 0 {
		w.and("id > ?", q.After)
	}
	if q.Upto > 0 {
		w.and("id <= ?", q.Upto)
	}
	return w
}

// place is which hosts and channels a query wants.
func (q *LogQuery) place() where {
	var w where
	if len(q.Hosts) > 0 {
		w.and("host IN ?", keys(q.Hosts, maxHost))
	}
	if len(q.Channels) > 0 {
		w.and("channel IN ?", keys(q.Channels, report.MaxChannel))
	}
	return w
}

// rest is what a query wants of records but for their hosts, times and positions.
func (q *LogQuery) rest(e *engine) where {
	var w where
	if len(q.Channels) > 0 {
		w.and("channel IN ?", keys(q.Channels, report.MaxChannel))
	}
	if len(q.Sources) > 0 {
		w.and("source IN ?", keys(q.Sources, report.MaxWord))
	}
	if len(q.Levels) > 0 {
		levels := make([]string, len(q.Levels))
		for i, level := range q.Levels {
			levels[i] = key(string(level), maxState)
		}
		w.and("level IN ?", levels)
	}
	switch q.Logon {
	case "":
	case LogonAny:
		w.and("logon <> ''")
	default:
		w.and("logon = ?", q.Logon) // IN would have SQLite sort what the index has in order
	}
	if q.Address != "" {
		w.and("address = ?", key(q.Address, report.MaxWord))
	}
	if q.User != "" {
		pattern := escapeLike(clean(q.User))
		w.and("("+e.like("user_name")+" OR "+e.like("account")+" OR "+e.like("account")+")", pattern, pattern, `%\`+pattern)
	}
	if q.Text != "" {
		w = w.with(textIs(e, clean(q.Text)))
	}
	return w.with(eventsAre(q.Events))
}

// textIs looks for a text in all columns of a record's own but the raw form, which says the same again.
func textIs(e *engine, text string) where {
	var w where
	var parts []string
	pattern := "%" + escapeLike(text) + "%"
	for _, column := range []string{"message", "source", "user_name", "computer"} {
		parts = append(parts, e.like(column))
		w.values = append(w.values, pattern)
	}
	// The data are JSON, in which some characters are written otherwise.
	quoted := string(appendJSON(nil, text))
	parts = append(parts, e.like("data"))
	w.values = append(w.values, "%"+escapeLike(quoted[1:len(quoted)-1])+"%")
	w.parts = []string{"(" + strings.Join(parts, " OR ") + ")"}
	return w
}

// escapeLike returns a text as a pattern of LIKE that is like itself alone, with ! as the escape character: a backslash is
// taken for different things by the engines, and by one engine in different modes.
func escapeLike(text string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text)
}

// eventsAre is what Events.Has says.
func eventsAre(events report.Events) where {
	var w, wanted where
	for _, r := range events {
		part, values := "event_id BETWEEN ? AND ?", []any{r.First, r.Last}
		if r.First == r.Last {
			part, values = "event_id = ?", []any{r.First}
		}
		if r.Exclude {
			w.and("NOT "+part, values...)
		} else {
			wanted.and(part, values...)
		}
	}
	if len(wanted.parts) > 0 {
		w.and("("+strings.Join(wanted.parts, " OR ")+")", wanted.values...)
	}
	return w
}

// keys returns what texts are in a column of so many characters.
func keys(texts []string, limit int) []string { //nolint:unparam // the columns' limits, which are alike for now
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = key(text, limit)
	}
	return all
}

// armsMost bounds how many ranges of an index are read side by side.
const armsMost = 16

// arm is a range of an index.
type arm struct {
	index string
	where where
}

// arms returns the ranges of indexes, each in the order of time, that hold all that a query wants: of each host, of each
// event, of logons, or of all.
func (q *LogQuery) arms() []arm {
	var index, column string
	var values []any
	switch ids, few := fewEvents(q.Events); {
	case len(q.Hosts) > 0 && len(q.Hosts) <= armsMost:
		hosts := keys(q.Hosts, maxHost)
		slices.Sort(hosts)
		index, column = "logs_host", "host"
		for _, host := range slices.Compact(hosts) {
			values = append(values, host)
		}
	case q.Logon != "":
		index, column = "logs_logon", "logon"
		values = []any{q.Logon}
		if q.Logon == LogonAny {
			values = []any{LogonAccepted, LogonFailed}
		}
	case few:
		index, column = "logs_event", "event_id"
		for _, id := range ids {
			values = append(values, id)
		}
	default:
		return []arm{{index: "logs_time"}}
	}
	arms := make([]arm, len(values))
	for i, value := range values {
		arms[i].index = index
		arms[i].where.and(column+" = ?", value)
	}
	return arms
}

// fewEvents returns the events that are selected where they are few, and none is excluded. 0 is no event, and in no index.
func fewEvents(events report.Events) (ids []int64, few bool) {
	for _, r := range events {
		if r.Exclude || r.First == 0 || r.Last-r.First >= armsMost {
			return nil, false
		}
		for id := r.First; id <= r.Last; id++ {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return ids, len(ids) > 0 && len(ids) <= armsMost
}
