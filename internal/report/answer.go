package report

import (
	"errors"
	"fmt"
)

// What an answer can do that its request did not ask for. Errors of Request.Parse and of CheckLogs wrap these, or ErrTooLarge.
var (
	ErrNotAsked = errors.New("nobody asked for it")
	ErrBackward = errors.New("it goes back")
	ErrEpoch    = errors.New("it is of an epoch that it can't be of")
)

// AnswerError says which channel of a report is not an answer to its request, and why. It wraps ErrNotAsked, ErrBackward,
// ErrEpoch or ErrTooLarge.
type AnswerError struct {
	Channel string // empty: the report as a whole
	Err     error
}

// Error returns the reason, after the channel.
func (e *AnswerError) Error() string {
	if e.Channel == "" {
		return "report: " + e.Err.Error()
	}
	return fmt.Sprintf("report: channel %s: %v", quote(e.Channel), e.Err)
}

// Unwrap returns the reason.
func (e *AnswerError) Unwrap() error { return e.Err }

// Parse reads the report that answers the request: as the function Parse does, and what CheckLogs refuses is an *AnswerError.
// Of records that nobody asked for, or more than were asked for, it reads the first: so what a report takes in memory is
// bounded by the request, and not by what a report may have at most.
func (r *Request) Parse(document []byte) (*Report, error) {
	report, err := parse(document, r)
	if err != nil {
		return nil, err
	}
	if err := r.CheckLogs(report.Logs); err != nil {
		return nil, err
	}
	return report, nil
}

// CheckLogs returns an *AnswerError where the logs, which are those of a report, are not an answer to
// the request: a channel that was not asked for, records that were read before or a cursor that goes back, an epoch that is
// neither that of the cursor nor one that the request allows to begin, more records or bytes than it allows. Channels that
// are missing are no error: the time was perhaps too short for them.
//
// So a host that lies can lose or repeat its own records, and do no more.
func (r *Request) CheckLogs(logs []Logs) error {
	count, size := 0, 0
	for i := range logs {
		l := &logs[i]
		q := r.channel(l.Channel)
		if q == nil {
			return &AnswerError{l.Channel, ErrNotAsked}
		}
		if err := q.checkAnswer(l); err != nil {
			return &AnswerError{l.Channel, err}
		}
		count += len(l.Records)
		for j := range l.Records {
			size += l.Records[j].Size()
		}
	}
	return r.checkTotal(count, size)
}

// checkTotal returns an *AnswerError where so many records, of so many bytes, are more than the request allows, or nil.
func (r *Request) checkTotal(count, size int) error {
	records, bytes := r.Bounds()
	if count > records || size > bytes && count > 1 { // one record may be as large as it is
		return &AnswerError{"", fmt.Errorf("%d records of %d bytes are %w (%d, and %d bytes)", count, size, ErrTooLarge, records, bytes)}
	}
	return nil
}

// Bounds returns how many records the report may bring, and how many bytes of them. A single record may have more bytes,
// up to MaxRecord.
func (r *Request) Bounds() (records, bytes int) {
	records, bytes = r.Records, r.Bytes
	if records == 0 {
		records = MaxRecords
	}
	if bytes == 0 {
		bytes = MaxRecordBytes
	}
	return records, bytes
}

func (r *Request) channel(name string) *LogRequest {
	for i := range r.Logs {
		if r.Logs[i].Channel == name {
			return &r.Logs[i]
		}
	}
	return nil
}

// checkAnswer returns why the logs do not go on where the request's cursor stands, or nil.
func (q *LogRequest) checkAnswer(l *Logs) error {
	if err := q.checkEpoch(l); err != nil {
		return err
	}
	for i := range l.Gaps {
		e := l.Gaps[i].Epoch
		// Between the cursor's and the fresh one are the numbers that were given in answers which were perhaps kept.
		given := q.Cursor.Epoch <= e && e < q.Fresh
		if e != l.Epoch && !given && l.Channel != Journal { // which has several at a time
			return fmt.Errorf("%w: a gap in epoch %d", ErrEpoch, e)
		}
	}
	if l.Epoch != q.Cursor.Epoch {
		return nil
	}
	if l.Next.Record < q.Cursor.Record {
		return fmt.Errorf("%w: from record %d to %d", ErrBackward, q.Cursor.Record, l.Next.Record)
	}
	if len(l.Records) > 0 && l.Records[0].ID <= q.Cursor.Record {
		return fmt.Errorf("%w: record %d comes after %d", ErrBackward, l.Records[0].ID, q.Cursor.Record)
	}
	return nil
}

// checkEpoch returns why the logs can't be of their epoch, or nil.
func (q *LogRequest) checkEpoch(l *Logs) error {
	begins := l.Epoch != q.Cursor.Epoch
	if begins != (l.Begun != "") {
		return fmt.Errorf("%w: %d after %d, and it says %s of how it began", ErrEpoch, l.Epoch, q.Cursor.Epoch, quote(l.Begun))
	}
	if !begins || l.Channel == Journal { // the journal's numbers are made of its identity
		return nil
	}
	// An epoch that begins again may have a fuller identity, since more was read of it now.
	again := l.Epoch == q.Begun.Number && l.Epoch > q.Cursor.Epoch
	if !again && (l.Epoch != q.Fresh || l.Begun == q.Begun.Identity) {
		return fmt.Errorf("%w: %d begins, where %d would, or %d again", ErrEpoch, l.Epoch, q.Fresh, q.Begun.Number)
	}
	return nil
}
