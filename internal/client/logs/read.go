package logs

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"time"

	"muster/internal/client/bound"
	"muster/internal/report"
)

// gapSize is what a gap has in a report's XML at most.
const gapSize = 200 + len("&quot;")*report.MaxWord

// pass is one reading of all channels.
type pass struct {
	request *report.Request
	sources []Source
	now     time.Time

	answers []report.Logs
	slow    []bool // channels whose reader has not returned, and may never
	records int    // how many are left of those allowed
	bytes   int
}

// Read reads the channels of a request, each by the first source that takes it, and returns an answer for each, in their
// order. It returns when all have been read or ctx ends, at the latest; ctx should have a deadline, which is shared out
// over the channels.
func Read(ctx context.Context, request *report.Request, sources []Source) []report.Logs {
	p := &pass{request: request, sources: sources, now: time.Now(),
		answers: make([]report.Logs, len(request.Logs)), slow: make([]bool, len(request.Logs))}
	p.records, p.bytes = request.Bounds()
	for i := range p.answers {
		p.answers[i] = notRead(&request.Logs[i])
	}
	p.round(ctx, p.turns())
	// A quarter of the bounds is worth opening a log once more.
	if records, bytes := request.Bounds(); p.records >= max(1, records/4) && p.bytes >= bytes/4 {
		p.round(ctx, slices.DeleteFunc(p.turns(), func(i int) bool { return !p.again(i) }))
	}
	return p.answers
}

// turns returns the channels, by their indexes, in the order of their turns. Which is the first is chance, since a channel
// with a large record has to be that one day: the time would not do, of which visits come at even intervals.
func (p *pass) turns() []int {
	turns := make([]int, len(p.answers))
	if len(turns) == 0 {
		return nil
	}
	first := int(binary.BigEndian.Uint64(p.request.Nonce[:])%uint64(len(turns))) + p.request.Part
	for i := range turns {
		turns[i] = (i + first) % len(turns)
	}
	return turns
}

// round reads some of the channels.
func (p *pass) round(ctx context.Context, turns []int) {
	for turn, i := range turns {
		left := len(turns) - turn
		if p.records <= 0 || p.bytes <= 0 || ctx.Err() != nil {
			return
		}
		q := Query{LogRequest: p.next(i), Records: max(1, p.records/left), Bytes: max(1, p.bytes/left), Now: p.now, Most: p.bytes}
		if records, bytes := p.request.Bounds(); p.records == records && p.bytes == bytes {
			q.Most = max(q.Most, report.MaxRecord) // one record may be as large as it is
		}
		answer, slow := p.read(ctx, q, left)
		p.slow[i] = slow
		p.take(i, answer)
	}
}

// next returns the request for a channel: as the server has made it, or to go on where the answer ends that there is.
func (p *pass) next(i int) report.LogRequest {
	q := p.request.Logs[i]
	if l := &p.answers[i]; l.Next != q.Cursor {
		q.Cursor = l.Next
		q.Fresh = l.Epoch + 1
		q.Begun = report.Epoch{}
	}
	return q
}

// again says whether a channel has more to read in the same epoch as far as one can see. One that has just begun is left to
// the next report: what its identity says is true of the answer with which it began.
func (p *pass) again(i int) bool {
	l := &p.answers[i]
	return l.More && l.Trouble == nil && l.Begun == "" && !p.slow[i] && l.Next != p.request.Logs[i].Cursor
}

// take adds an answer to what the channel has.
func (p *pass) take(i int, answer report.Logs) {
	l := &p.answers[i]
	switch {
	case l.Next == p.request.Logs[i].Cursor: // the first
		*l = answer
	case answer.Begun != "" || len(l.Gaps)+len(answer.Gaps) > report.MaxGaps:
		return // another epoch: it is for another report, which will read it again
	default:
		l.Records = append(l.Records, answer.Records...)
		l.Gaps = append(l.Gaps, answer.Gaps...)
		l.Next, l.More, l.Trouble = answer.Next, answer.More, answer.Trouble
	}
	p.records -= len(answer.Records)
	p.bytes -= len(answer.Gaps) * gapSize
	for j := range answer.Records {
		p.bytes -= answer.Records[j].Size()
	}
}

// read has a channel read within its share of the time, and returns an answer that can be sent; and whether the reader
// was given up. It is told to end after three quarters of its share, so that it can answer in the last.
func (p *pass) read(ctx context.Context, q Query, left int) (answer report.Logs, slow bool) {
	i := slices.IndexFunc(p.sources, func(s Source) bool { return s.Takes(q.Channel) })
	if i < 0 {
		return troubled(&q, report.TroubleUnsupported, "a client on "+runtime.GOOS+" reads no such channel"), false
	}
	patience := time.Hour
	if until, bounded := ctx.Deadline(); bounded {
		patience = time.Until(until) / time.Duration(left)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	told, end := context.WithTimeout(ctx, patience*3/4)
	defer end()
	answer, err := bound.Call(ctx, func(context.Context) (report.Logs, error) { return p.sources[i].Read(told, q), nil })
	switch {
	case err != nil && ctx.Err() != nil:
		return troubled(&q, report.TroubleSlow, fmt.Sprintf("no answer within %v", patience.Round(time.Millisecond))), true
	case err != nil:
		return troubled(&q, report.TroubleFailed, err.Error()), false
	}
	if err := settle(&q, &answer); err != nil {
		return troubled(&q, report.TroubleFailed, "the client read what can't be sent: "+err.Error()), false
	}
	return answer, false
}

// settle makes an answer sendable, and returns why it is not one to the query. The server would refuse the whole report
// for that.
func settle(q *Query, answer *report.Logs) error {
	answer.Channel = q.Channel
	if answer.Next == (report.Cursor{}) && len(answer.Records) == 0 {
		answer.Epoch, answer.Next = q.Cursor.Epoch, q.Cursor
		answer.Begun, answer.Why = "", ""
	}
	if err := answer.Clean(); err != nil {
		return err
	}
	one := report.Request{Logs: []report.LogRequest{q.LogRequest}, Records: q.Records, Bytes: q.Bytes}
	return one.CheckLogs([]report.Logs{*answer})
}

// notRead is the answer for a channel that nobody has got round to.
func notRead(q *report.LogRequest) report.Logs {
	return report.Logs{Channel: q.Channel, Epoch: q.Cursor.Epoch, Next: q.Cursor, More: true}
}

func troubled(q *Query, kind report.TroubleKind, text string) report.Logs {
	answer := notRead(&q.LogRequest)
	answer.More = false
	answer.Trouble = &report.Trouble{Kind: kind, Text: text}
	_ = answer.Clean() // the text; all else is as it was asked
	return answer
}
