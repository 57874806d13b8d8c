package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"muster/internal/client/logs"
	"muster/internal/client/logs/syslog"
	"muster/internal/report"
)

// reading is one attempt to read: what is asked, and the answer as far as it is made.
type reading struct {
	ctx    context.Context //nolint:containedctx // of this one reading
	q      *logs.Query
	path   string
	fence  Fence
	files  []entry // the log's, the oldest first
	answer report.Logs
	unseen sight // what is gone of a live file, and is not told of yet
	broken error // why a compressed file that was read can't be unpacked to its end
}

// readOnce makes one attempt. On an error nothing is to be believed of the answer.
func readOnce(ctx context.Context, q *logs.Query, path string, fence Fence) (report.Logs, error) {
	r := &reading{ctx: ctx, q: q, path: path, fence: fence, answer: unchanged(q, nil)}
	if q.Cursor.Epoch == 0 {
		err := r.first()
		return r.answer, err
	}
	at, err := parsePosition(q.Cursor.Position)
	if err != nil {
		if r.files, err = family(path); err == nil {
			err = r.lost(position{mark: mark{offset: q.Cursor.Record}, file: unknownFile, written: q.Now}, "the cursor is not of this client's making")
		}
		return r.answer, err
	}
	if at.offset == 0 {
		err := r.fromNothing(at)
		return r.answer, err
	}
	// Nearly always the live file is still the one that was read, and no folder needs to be listed.
	live, there, err := liveFile(path)
	if err != nil {
		return r.answer, err
	}
	if there && live.id == at.file {
		o, err := r.open(live)
		if err != nil {
			return r.answer, err
		}
		defer o.close()
		if fit, err := at.fits(ctx, o); err != nil {
			return r.answer, err
		} else if fit == exact {
			err = r.goOn(o, at, false)
			return r.answer, err
		}
	}
	err = r.find(at)
	return r.answer, err
}

// find goes on where the live file is not the one that was read, or not as it was.
func (r *reading) find(at position) error {
	var err error
	if r.files, err = family(r.path); err != nil {
		return err
	}
	o, fit, refused := r.holder(at)
	if errors.Is(refused, errMoved) || r.ctx.Err() != nil {
		if o != nil {
			o.close()
		}
		return errors.Join(refused, r.ctx.Err())
	}
	if o == nil {
		return r.lost(at, r.whyLost(at, refused))
	}
	defer o.close()
	return r.goOnFrom(o, at, fit)
}

// goOnFrom goes on with a file of the log, which was left at the position where it fits exactly, and with its successor
// where there is nothing left to read.
func (r *reading) goOnFrom(o *opened, at position, fit match) error {
	if o.live {
		return r.goOn(o, at, false)
	}
	next, skipped, err := r.successor(r.index(o))
	if err != nil {
		return err
	}
	if next != nil {
		defer next.close()
	}
	left := next != nil && r.settled(o)
	if next != nil && !left && !next.live && r.settled(next) {
		r.answer.Trouble = r.notLeft(o)
	}
	if fit == exact {
		// What is written before the successor has a line is in the file by now: the successor was looked at first.
		if err := r.goOn(o, at, left); err != nil {
			return err
		}
		if r.answer.More || r.answer.Trouble != nil || r.answer.Next != r.q.Cursor {
			r.answer.More = r.answer.More || left
			return r.remember(o, at.seen)
		}
	}
	if !left {
		return r.remember(o, at.seen)
	}
	if r.broken != nil {
		skipped = append([]string{r.broken.Error()}, skipped...)
	}
	lost, err := r.leave(o, next, at.seen)
	if err != nil {
		return err
	}
	if lost {
		skipped = append(skipped, filepath.Base(r.path)+" was truncated, deleted or written anew before anything of it was read")
	}
	for _, reason := range skipped {
		r.gap(r.q.Cursor.Epoch, at.offset+1, reason)
	}
	return r.begin(next, start{}, "the file was rotated")
}

// notLeft is the trouble with a file that was rotated more than once and is still written to. To go on behind it would be to
// lose what is written there.
func (r *reading) notLeft(o *opened) *report.Trouble {
	return trouble(fmt.Errorf("%s is still written to, and was rotated more than once: what is in the files after it is read "+
		"when its writer has opened the new one", filepath.Base(o.path)))
}

// holder finds the file that holds the position, opens it and leaves it there; o is nil where none does. refused is why a
// file could not be looked at that might be it.
func (r *reading) holder(at position) (o *opened, fit match, refused error) {
	for _, i := range r.likely(at) {
		candidate, err := r.open(r.files[i])
		if errors.Is(err, errMoved) {
			return o, other, err
		}
		if err != nil {
			refused = cmp.Or(refused, err)
			continue
		}
		got, err := at.fits(r.ctx, candidate)
		refused = cmp.Or(refused, err)
		if got == exact || got == shorter && o == nil && !candidate.live {
			if o != nil {
				o.close()
			}
			o, fit = candidate, got
			if got == exact {
				return o, fit, nil
			}
			continue
		}
		candidate.close()
	}
	return o, fit, refused
}

// likely returns the indexes of the files in the order in which they should be looked at: the one that has the identity
// on the disk, then the rotated ones from the newest on, then the live one. Where files are alike, as those whose first
// lines have no time, the live one is the least likely: it was found to be another.
func (r *reading) likely(at position) []int {
	order := make([]int, 0, len(r.files))
	for i := len(r.files) - 1; i >= 0; i-- {
		order = append(order, i)
	}
	rank := func(i int) int {
		switch {
		case r.files[i].id == at.file && at.file != unknownFile:
			return 0
		case r.files[i].live:
			return 2
		}
		return 1
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rank(a), rank(b)) })
	return order
}

// successor opens the first file after the one at an index that has something to read: the live one a whole line, another
// one anything. skipped says why files in between can't be read. It returns nil where there is none, or where nobody
// knows yet.
func (r *reading) successor(index int) (next *opened, skipped []string, err error) {
	for i := index + 1; i < len(r.files); i++ {
		o, err := r.open(r.files[i])
		if errors.Is(err, errMoved) {
			return nil, nil, err
		}
		if err != nil {
			if r.files[i].live {
				r.answer.Trouble = trouble(err)
			}
			skipped = append(skipped, err.Error())
			continue
		}
		ready, err := r.readable(o)
		if err == nil && ready {
			copying, err := r.isBeingCopied(o)
			if err != nil || copying {
				o.close()
				return nil, nil, err
			}
			return o, skipped, nil
		}
		o.close()
		if err != nil {
			return nil, nil, err
		}
	}
	return nil, skipped, nil
}

// readable reports whether a file has something to read.
func (r *reading) readable(o *opened) (bool, error) {
	if !o.live {
		return len(o.head) > 0, nil
	}
	s := newScanner(r.ctx, o, false)
	_, ok, err := s.next(false)
	if err != nil {
		return false, err
	}
	return ok, o.rewind()
}

// isBeingCopied reports whether a rotated file seems to be a copy of the live one that is being made: then the live one
// will be truncated, and what is in both is to be read once.
func (r *reading) isBeingCopied(o *opened) (bool, error) {
	live := r.files[len(r.files)-1]
	if o.live || !live.live || o.packed != "" || r.settled(o) {
		return false, nil
	}
	original, err := r.open(live)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return false, nil
		}
		return false, err
	}
	defer original.close()
	return sameHead(o, original), nil
}

// settled reports whether nobody has written to a file for a while. A clock that was set back does not count.
func (r *reading) settled(o *opened) bool {
	if o.packed != "" {
		return true
	}
	info, err := o.f.Stat()
	if err != nil {
		return false
	}
	return r.q.Now.Sub(info.ModTime()).Abs() >= settle
}

// goOn reads on in the file that holds the position, under its epoch. final: no more is expected to be written to it.
func (r *reading) goOn(o *opened, at position, final bool) error {
	return r.take(o, at.inside, final, r.q.Cursor.Record)
}

// take reads records from where the file was left by seek, and sets the answer's records and cursor.
func (r *reading) take(o *opened, inside, final bool, last int64) error {
	s := newScanner(r.ctx, o, inside)
	batch := logs.NewBatch(r.q)
	end := start{-1, false}
	var failed error
	for {
		l, ok, err := s.next(final)
		if err != nil || !ok {
			failed = err
			break
		}
		if len(l.text) == 0 {
			continue
		}
		record := r.record(o, &l)
		if r.q.Filter.Match(&record) && !batch.Add(record) {
			r.answer.More = true
			end = start{l.offset, false}
			break
		}
		last = record.ID
	}
	if end.offset < 0 {
		end = start{s.offset, s.inside}
	}
	if err := r.finish(o, end, s.tail(end.offset), last); err != nil {
		return err
	}
	r.answer.Records = batch.Records()
	r.stopped(failed)
	return nil
}

// record makes a record of a line.
func (r *reading) record(o *opened, l *line) report.Record {
	text := string(l.text)
	if l.offset == 0 {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	at := latest(r.q.Now, o.info)
	record := syslog.Parse(text, at, time.Local)
	if record.Time.IsZero() {
		record.Time = at
	}
	record.ID = l.offset + 1
	record.Raw = text
	record.Altered = record.Altered || l.cut
	return record
}

// finish sets the cursor that the answer ends with. It returns errMoved where the file was truncated meanwhile, so that
// nobody knows what was read.
func (r *reading) finish(o *opened, end start, tail []byte, last int64) error {
	place, err := o.mark(end.offset, tail)
	if err != nil {
		return err
	}
	at := position{mark: place, file: o.id, inside: end.inside, written: o.info.ModTime()}
	next := report.Cursor{Epoch: r.answer.Epoch, Record: last, Position: at.String()}
	before, err := parsePosition(r.q.Cursor.Position)
	if err == nil && next.Epoch == r.q.Cursor.Epoch && before.offset == end.offset && before.offset > 0 {
		next = r.q.Cursor // nothing was read: whoever keeps cursors need not keep another
	}
	r.answer.Next = next
	return nil
}

// stopped says in the answer why the reading stopped before the content's end, if it did.
func (r *reading) stopped(err error) {
	var broken damaged
	switch {
	case err == nil:
	case r.ctx.Err() != nil:
		r.answer.More = true
	case errors.As(err, &broken):
		r.broken = broken
	default:
		r.answer.Trouble = trouble(err)
	}
}

// gap adds a gap to the answer whose size nobody knows.
func (r *reading) gap(epoch, first int64, reason string) {
	r.answer.Gaps = append(r.answer.Gaps, report.Gap{
		Epoch: epoch, First: first, Possible: !r.q.Filter.IsZero(), Reason: report.Visible(reason, report.MaxWord),
	})
}

// whyLost says why the file that was read can't be found.
func (r *reading) whyLost(at position, refused error) string {
	reason := filepath.Base(r.path) + " was rotated away, deleted or replaced before its end was read"
	for i := range r.files {
		if r.files[i].live && r.files[i].id == at.file {
			reason = filepath.Base(r.path) + " was truncated or written anew"
		}
	}
	if refused != nil {
		reason += " (" + refused.Error() + ")"
	}
	return reason
}
