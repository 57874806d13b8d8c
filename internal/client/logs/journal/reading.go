package journal

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"muster/internal/client/logs"
	"muster/internal/report"
)

// attempts is how often a reading is made in whose course journald began new files.
const attempts = 3

// read answers a query.
func read(ctx context.Context, q logs.Query, program string, folders []string) report.Logs {
	for range attempts {
		r, err := newReading(q, program, look(folders))
		if err != nil {
			return trouble(q, report.TroubleFailed, err.Error())
		}
		if answer, ok := r.read(ctx); ok {
			return answer
		}
	}
	return trouble(q, report.TroubleFailed, fmt.Sprintf("journald began new files in the course of each of %d readings", attempts))
}

// reading is one answer in the making.
type reading struct {
	q       logs.Query
	program string
	survey  survey
	at      position
	from    int64 // in µs since 1970: a first reading begins with the entries since then
	batch   *logs.Batch
	used    bool // the answer is in the epoch of a stream that was read
	maker   maker
	answer  report.Logs
	stale   bool // the files are no longer those of the survey
}

func newReading(q logs.Query, program string, s survey) (*reading, error) {
	at, err := parsePosition(q.Cursor.Position)
	if err != nil {
		return nil, err
	}
	return &reading{
		q: q, program: program, survey: s, at: at, batch: logs.NewBatch(&q),
		maker:  maker{raw: q.Raw, users: make(map[string]string)},
		answer: report.Logs{Channel: q.Channel, Epoch: q.Cursor.Epoch, Next: q.Cursor},
	}, nil
}

// read makes the answer. It is false where the reading has to be made again.
func (r *reading) read(ctx context.Context) (report.Logs, bool) {
	if len(r.survey.streams) == 0 {
		r.explain()
		return r.answer, true
	}
	if r.q.Cursor.Epoch == 0 {
		r.first()
	} else {
		r.missing()
	}
	for _, st := range r.pending() {
		if r.answer.More = ctx.Err() != nil || r.answer.More || r.used; r.answer.More {
			break
		}
		r.stream(ctx, st)
		if r.stale {
			return report.Logs{}, false
		}
	}
	r.explain()
	r.finish()
	return r.answer, true
}

// explain says what could not be read. What was said before is more.
func (r *reading) explain() {
	s := &r.survey
	switch {
	case len(s.denied) > 0:
		r.trouble(report.TroubleDenied, fmt.Sprintf("the account may not read %s: add it to the group systemd-journal or adm",
			some(s.denied)))
	case len(s.damaged) > 0:
		r.trouble(report.TroubleFailed, some(s.damaged)+": it is passed over; remove it if it stays")
	case len(s.streams) == 0 && s.found:
		r.trouble(report.TroubleAbsent, "the journal has no files yet")
	case len(s.streams) == 0:
		r.trouble(report.TroubleAbsent, "this host has no journal of systemd: neither in /var/log/journal nor in /run/log/journal is one of this machine")
	}
}

func (r *reading) trouble(kind report.TroubleKind, text string) {
	if r.answer.Trouble == nil {
		r.answer.Trouble = &report.Trouble{Kind: kind, Text: text}
	}
}

// some names the first of several.
func some(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
}

// first notes where a first reading begins in each stream. What can't be read yet begins at the same time, if it can one day.
// Where a first reading was perhaps kept this one begins where that did, however long ago: what came since was promised.
func (r *reading) first() {
	begun, again := parseIdentity(r.q.Begun.Identity)
	switch {
	case again:
		r.from = begun.from
		r.begunIsThere(begun.stream)
	case r.q.Since >= 0:
		r.from = r.q.Now.Add(-r.q.Since).UnixMicro()
	}
	if len(r.survey.denied) > 0 {
		r.at.watermark = r.from
	}
	for _, st := range r.survey.streams {
		if r.q.Since == 0 && !again || st.tailTime < r.from || st.tail == 0 {
			r.at.places[key(st.id)] = st.end(0)
		} else {
			r.at.places[key(st.id)] = place{time: r.from, seek: true}
		}
	}
}

// begunIsThere notes a gap where the stream that was perhaps read is gone.
func (r *reading) begunIsThere(id string) {
	if r.survey.lacks(key(id)) {
		r.gap(report.Gap{Epoch: r.q.Begun.Number, First: 1, Possible: true,
			Reason: "the journal was removed or begun anew; nobody knows whether what was read of it was kept, and what came after"})
	}
}

// end returns the place at the end of a stream.
func (st *stream) end(epoch int64) place {
	return place{sequence: st.tail, time: st.tailTime, epoch: epoch, closed: st.closed()}
}

// missing notes gaps for streams that were not read to their end and are gone.
func (r *reading) missing() {
	for name, p := range r.at.places {
		if !r.survey.lacks(name) {
			continue
		}
		delete(r.at.places, name)
		if r.at.current == name {
			r.at.current = ""
		}
		if p.epoch > 0 && !p.closed {
			r.gap(report.Gap{Epoch: p.epoch, First: int64(max(p.sequence, p.told)) + 1,
				Reason: "the journal, or a part of it, was removed or begun anew; nobody knows what came after the last record"})
		}
	}
}

func (r *reading) gap(g report.Gap) {
	g.Possible = g.Possible || !r.q.Filter.IsZero()
	if len(r.answer.Gaps) < report.MaxGaps {
		r.answer.Gaps = append(r.answer.Gaps, g)
		return
	}
	last := &r.answer.Gaps[len(r.answer.Gaps)-1]
	if last.Epoch == g.Epoch && g.Last > last.Last { // one for all the rest
		last.Last, last.Possible, last.Reason = g.Last, true, "there are many gaps: this stands for several"
	}
}

// pending returns the streams that have something new.
func (r *reading) pending() []*stream {
	var list []*stream
	for _, st := range r.survey.streams {
		p, known := r.at.places[key(st.id)]
		switch {
		case known && (p.seek || st.tail > p.sequence || st.restarted(p)):
		case !known && st.tail > 0 && st.tailTime > r.at.watermark:
		default:
			continue
		}
		list = append(list, st)
	}
	return list
}

// restarted reports whether a stream's numbers have gone back since it was read: after a power cut journald goes on from what
// had reached the disk.
func (st *stream) restarted(p place) bool {
	return p.sequence > 0 && !p.seek && (st.tail < p.sequence || st.tail == p.sequence && p.time > 0 && st.tailTime != p.time)
}

// stream reads a stream, until its end or the end of what the query allows.
func (r *reading) stream(ctx context.Context, st *stream) {
	s := newScan(r, st)
	s.read(ctx)
	if r.stale || !unchanged(st.files) {
		r.stale = true
		return
	}
	r.at.places[key(st.id)] = s.place()
	if s.used {
		r.use(s)
	}
}

// use has the answer be in the epoch of a stream.
func (r *reading) use(s *scan) {
	r.used = true
	r.at.current = key(s.st.id)
	if r.answer.Epoch = s.epoch; s.epoch != r.q.Cursor.Epoch {
		r.answer.Begun, r.answer.Why = identity{s.st.id, s.epoch, r.from}.String(), s.why
	}
}

// finish writes down what was read, and where the next reading begins.
func (r *reading) finish() {
	if r.answer.Epoch == 0 { // nothing was ever read: an epoch begins all the same, for what is to come
		s := newScan(r, r.survey.streams[len(r.survey.streams)-1])
		s.was.epoch = s.epoch
		r.at.places[key(s.st.id)] = s.was
		r.use(s)
	}
	r.answer.Records = r.batch.Records()
	record := int64(0)
	if r.answer.Epoch == r.q.Cursor.Epoch {
		record = r.q.Cursor.Record
	}
	if p, ok := r.at.places[r.at.current]; ok && p.epoch == r.answer.Epoch {
		record = max(record, int64(p.sequence))
	}
	r.answer.Next = report.Cursor{Epoch: r.answer.Epoch, Record: record, Position: r.at.String()}
}

// matches returns journalctl's arguments for the filter, and whether any record can pass. Providers are not among them:
// their names are compared without regard to case, which journalctl can't.
func matches(f *report.Filter) (args []string, any bool) {
	if len(f.Levels) == 0 {
		return nil, true
	}
	for i, l := range priorities() {
		if slices.Contains(f.Levels, l) {
			args = append(args, "PRIORITY="+strconv.Itoa(i))
		}
	}
	return args, len(args) > 0
}
