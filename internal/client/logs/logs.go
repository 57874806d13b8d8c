// Package logs reads log records on a host: it shares out what a request allows over the request's channels, and has one
// reader after the other read its own.
//
// It knows no log by itself. Package all lists the readers of the platform; the packages below this one are readers.
package logs

import (
	"context"
	"time"

	"muster/internal/report"
)

// Query is what a reader is asked for: one channel, within bounds. A Batch holds a reader to the bounds.
type Query struct {
	report.LogRequest
	Records int       // how many records the answer may have; at least 1
	Bytes   int       // how many bytes they may have, as Record.Size counts them; see Batch
	Now     time.Time // when the reading began: Since counts back from it
	Most    int       // how many bytes a first record may have that alone has more than Bytes; 0: as many as Bytes
}

// Reader reads one channel from where the query's cursor stands.
//
// It always answers: what was read before trouble came is in the answer, with Trouble set and Next good for what is
// there. Next moves over records that the filter leaves out, too. Where ctx ends it returns soon, with what it has and
// More set. The records are in the order of their ids, all of one epoch; where another epoch follows, it stops with More
// set. It leaves nothing open.
//
// The answer's Channel need not be set. A new epoch gets the number q.Begun.Number where q.Begun.Identity is that of
// the log, and q.Fresh otherwise; the answer's Begun and Why then say so.
type Reader func(ctx context.Context, q Query) report.Logs

// Source is a kind of log.
type Source struct {
	Takes func(channel string) bool // whether the channel is one of this kind
	Read  Reader
}

// Batch gathers the records of an answer and holds them to the bounds of a query.
//
//	batch := logs.NewBatch(&q)
//	for each record that the filter selects {
//		if !batch.Add(record) {
//			answer.More = true // and Next stands before the record
//			break
//		}
//	}
//	answer.Records = batch.Records()
type Batch struct {
	records []report.Record
	count   int
	bytes   int
	most    int
	raw     bool
}

// NewBatch returns an empty batch for the answer to a query.
func NewBatch(q *Query) *Batch {
	return &Batch{count: q.Records, bytes: q.Bytes, most: max(q.Bytes, q.Most), raw: q.Raw}
}

// Add cleans a record (report.CleanRecord) and takes it, or returns false where it is beyond the bounds: then the batch
// is full, and the record is for the next reading. The first record may be larger than q.Bytes, up to q.Most: so a
// reading gets on whatever the record.
func (b *Batch) Add(r report.Record) bool {
	if b.Full() {
		return false
	}
	if !b.raw {
		r.Raw = ""
	}
	r = report.CleanRecord(r)
	size := r.Size()
	if size > b.bytes && (len(b.records) > 0 || size > b.most) {
		b.bytes = 0
		return false
	}
	b.bytes -= size
	b.records = append(b.records, r)
	return true
}

// Full reports whether the batch certainly takes no further record. Where it is not full a large one may be refused all
// the same.
func (b *Batch) Full() bool {
	return len(b.records) >= b.count || b.bytes <= 0
}

// Records returns what was taken. The batch is not to be used after that.
func (b *Batch) Records() []report.Record { return b.records }
