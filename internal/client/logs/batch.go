package logs

import (
	"time"

	"muster/internal/report"
)

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
	now     time.Time
}

// NewBatch returns an empty batch for the answer to a query.
func NewBatch(q *Query) *Batch {
	return &Batch{count: q.Records, bytes: q.Bytes, most: max(q.Bytes, q.Most), raw: q.Raw, now: q.Now}
}

// Add cleans a record (report.CleanRecord) and takes it, or returns false where it is beyond the bounds: then the batch
// is full, and the record is for the next reading. The first record may be larger than q.Bytes, up to q.Most: so a
// reading gets on whatever the record. A record without a time gets the query's, and one whose raw form is not wanted
// loses it.
func (b *Batch) Add(r report.Record) bool {
	if b.Full() {
		return false
	}
	if !b.raw {
		r.Raw = ""
	}
	if r.Time.IsZero() {
		r.Time = b.now
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
