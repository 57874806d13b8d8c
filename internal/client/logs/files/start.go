package files

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"muster/internal/client/logs"
	"muster/internal/client/logs/syslog"
	"muster/internal/report"
)

// first reads where nothing was read before.
func (r *reading) first() error {
	var err error
	if r.files, err = family(r.path); err != nil {
		return err
	}
	if done, err := r.firstAgain(); done || err != nil {
		return err
	}
	if r.q.Since != 0 {
		if done, err := r.firstOld(); done || err != nil {
			return err
		}
	}
	return r.firstNow()
}

// firstAgain begins as the answer did that was perhaps kept, however long ago that was: what followed it was promised.
func (r *reading) firstAgain() (done bool, err error) {
	known, ok := r.begun()
	if !ok {
		return false, nil
	}
	if known.isOfNothing() {
		r.answer.Epoch, r.answer.Begun, r.answer.Why = r.q.Begun.Number, r.q.Begun.Identity, firstReading
		r.answer.Next = report.Cursor{Epoch: r.q.Begun.Number, Position: known.at.String()}
		return true, r.fromNothing(known.at)
	}
	return true, r.again(known, firstReading)
}

// again begins with the file of an epoch that was perhaps kept, so that its records get the same ids; where that is gone with the
// oldest that was written to since.
func (r *reading) again(known identity, why string) error {
	for i := range r.files {
		done, err := r.with(i, func(o *opened) (bool, error) {
			if its, err := known.of(r.ctx, o); err != nil || !its {
				return false, err
			}
			if _, err := o.seek(r.ctx, known.start); err != nil {
				return false, err
			}
			return true, r.begin(o, start{known.start, o.insideLine()}, why)
		})
		if done || errors.Is(err, errMoved) || r.ctx.Err() != nil {
			return err
		}
	}
	return r.beginSince(known.at, logs.Loss{Epoch: r.q.Begun.Number, First: known.start + 1}, why)
}

// insideLine reports whether the content goes on inside a line.
func (o *opened) insideLine() bool {
	n := len(o.before)
	return n > 0 && o.before[n-1] != '\n' && o.before[n-1] != 0
}

// nothing is the position where there was no file at a time.
func nothing(at time.Time) position {
	return position{mark: mark{0, fingerprintOf(nil), fingerprintOf(nil)}, file: unknownFile, written: at}
}

// with opens a file for a function.
func (r *reading) with(index int, f func(*opened) (bool, error)) (bool, error) {
	o, err := r.open(r.files[index])
	if err != nil {
		return false, err
	}
	defer o.close()
	return f(o)
}

const firstReading = "first reading"

// firstOld begins with the oldest line that is wanted of those that are there, if there is one.
func (r *reading) firstOld() (done bool, err error) {
	cutoff := r.q.Now.Add(-r.q.Since)
	var skipped []string
	for i := range r.files {
		if r.q.Since > 0 && r.files[i].written.Before(cutoff) {
			continue // all its lines are older
		}
		done, err := r.with(i, func(o *opened) (bool, error) { return r.firstOf(o, cutoff) })
		if done {
			if r.answer.Epoch != 0 {
				for _, reason := range skipped {
					r.gap(r.answer.Epoch, 1, reason)
				}
			}
			return true, err
		}
		if errors.Is(err, errMoved) || r.ctx.Err() != nil || err != nil && r.files[i].live {
			return false, err
		}
		if err != nil {
			skipped = append(skipped, err.Error())
		}
	}
	return false, nil
}

// firstOf begins with a file's oldest line that is wanted, if it has one.
func (r *reading) firstOf(o *opened, cutoff time.Time) (done bool, err error) {
	offset, found, err := r.wanted(o, cutoff)
	if err != nil || !found {
		return false, err
	}
	if copying, err := r.isBeingCopied(o); err != nil || copying {
		return true, err // soon it will be known which of the two is to be read
	}
	return true, r.begin(o, start{offset: offset}, firstReading)
}

// wanted returns where in a file the first reading begins.
func (r *reading) wanted(o *opened, cutoff time.Time) (offset int64, found bool, err error) {
	if r.q.Since < 0 {
		found, err = r.readable(o)
		return 0, found, err
	}
	return r.after(o, cutoff)
}

// firstNow begins with what is written from now on: at the end of the live file, or of its last whole line. Where there
// is no file yet, or no line in it, the epoch stands for whatever comes.
func (r *reading) firstNow() error {
	at := nothing(r.q.Now)
	if n := len(r.files); n > 0 && r.files[n-1].live {
		o, err := r.open(r.files[n-1])
		if err != nil {
			return err
		}
		defer o.close()
		from, err := r.lastLine(o)
		if err != nil {
			return err
		}
		if from.offset > 0 {
			return r.begin(o, from, firstReading)
		}
		at = nothing(o.info.ModTime())
	} else {
		r.answer.Trouble = r.absent()
	}
	r.answer.Epoch, r.answer.Why = r.q.Fresh, firstReading
	r.answer.Begun = identity{at: at}.String()
	r.answer.Next = report.Cursor{Epoch: r.q.Fresh, Position: at.String()}
	return nil
}

// absent is the trouble with a file that is not there.
func (r *reading) absent() *report.Trouble {
	return trouble(&fs.PathError{Op: "open", Path: r.path, Err: fs.ErrNotExist})
}

// fromNothing goes on where a reading found no file, or one in which there was no line yet. All that was written since is
// wanted. It is of an epoch of its own, whose identity says which file that is: the file that was empty may be another by now.
func (r *reading) fromNothing(at position) error {
	var err error
	if r.files, err = family(r.path); err != nil {
		return err
	}
	const why = "the first lines of a file that was empty, or not there"
	if known, ok := r.begun(); ok && !known.isOfNothing() {
		return r.again(known, why)
	}
	at.written = at.written.Add(-tick) // a file that was written to in the same instant may be the one
	return r.beginSince(at, logs.Loss{Epoch: r.answer.Epoch, First: 1}, why)
}

// tick is by how much a file may have been written to later than its time says, which systems take from their clock's last tick.
const tick = 20 * time.Millisecond

// older returns how many of the rotated files were last written to before the position was taken, and so have nothing
// that was not read.
func (r *reading) older(at position) int {
	n := 0
	for n < len(r.files) && !r.files[n].live && !r.files[n].written.After(at.written) {
		n++
	}
	return n
}

// lost begins anew where the position can't be found, with the oldest file that was written to since. As long as there
// is nothing in any it waits: so the gap is told once.
func (r *reading) lost(at position, reason string) error {
	return r.beginSince(at, logs.Loss{Epoch: r.q.Cursor.Epoch, First: at.offset + 1}, reason, reason)
}

// beginSince begins with the oldest file that was written to since a position was taken, as far as that has anything to read.
// What is gone is told: for these reasons, and where files that come before can't be read.
func (r *reading) beginSince(at position, gone logs.Loss, why string, reasons ...string) error {
	next, skipped, err := r.successor(r.older(at) - 1)
	if err != nil || next == nil {
		r.noteAbsence()
		return err
	}
	defer next.close()
	for _, reason := range append(reasons, skipped...) {
		r.gap(gone.Epoch, gone.First, reason)
	}
	return r.begin(next, start{}, why)
}

// noteAbsence says in the answer that the live file is not there, if it is not.
func (r *reading) noteAbsence() {
	if n := len(r.files); r.answer.Trouble == nil && (n == 0 || !r.files[n-1].live) {
		r.answer.Trouble = r.absent()
	}
}

// lastLine returns where what is written to a file from now on begins: behind its last line end. A last line that is
// longer than a record may be is passed over.
func (r *reading) lastLine(o *opened) (start, error) {
	info, err := o.f.Stat()
	if err != nil {
		return start{}, err
	}
	size := info.Size()
	if _, err := o.seek(r.ctx, max(0, size-longest)); err != nil {
		return start{}, err
	}
	from := o.at
	if size-from > longest {
		return start{}, errMoved // it was truncated since
	}
	last, err := o.upTo(int(size - from))
	if err != nil {
		return start{}, err
	}
	if i := bytes.LastIndexByte(last, '\n'); i >= 0 {
		return start{offset: from + int64(i) + 1}, nil
	}
	if from > 0 {
		return start{offset: from + int64(len(last)), inside: true}, nil
	}
	return start{}, nil
}

// near is how close after the place that is looked for a search in a file ends, and how far it looks for a time.
const near = 256 << 10

// after returns where in a file the first line begins that says a time not before the cutoff. Lines without a time are of
// the line before them, so a file without any times has none. A plain file is searched by halving, which takes its lines
// to be in the order of their times.
func (r *reading) after(o *opened, cutoff time.Time) (offset int64, found bool, err error) {
	var low int64
	if o.packed == "" {
		for high := o.info.Size(); high-low > near; {
			middle := low + (high-low)/2
			at, where, err := r.timeFrom(o, middle, middle+near)
			if err != nil {
				return 0, false, err
			}
			switch {
			case at.IsZero() || !at.Before(cutoff):
				high = middle
			default:
				low = where
			}
		}
	}
	return r.firstFrom(o, low, cutoff)
}

// timeFrom returns the time of the first line that begins in a part of a file and says one, and where it begins; or no
// time.
func (r *reading) timeFrom(o *opened, from, to int64) (at time.Time, where int64, err error) {
	if _, err := o.seek(r.ctx, from); err != nil {
		return at, 0, err
	}
	s := newScanner(r.ctx, o, from > 0) // most likely inside a line
	for {
		l, ok, err := s.next(false)
		if err != nil || !ok || l.offset >= to {
			return at, 0, err
		}
		if at := r.timeOf(o, &l); !at.IsZero() {
			return at, l.offset, nil
		}
	}
}

// firstFrom returns where the first line from an offset on begins that says a time not before the cutoff.
func (r *reading) firstFrom(o *opened, from int64, cutoff time.Time) (offset int64, found bool, err error) {
	if _, err := o.seek(r.ctx, from); err != nil {
		return 0, false, err
	}
	s := newScanner(r.ctx, o, false)
	for {
		l, ok, err := s.next(false)
		if r.ctx.Err() != nil && err != nil {
			return 0, false, o.late(from, fmt.Sprintf("searched up to byte %d for the first line that is wanted", o.at), err)
		}
		if err != nil || !ok {
			return 0, false, err
		}
		if at := r.timeOf(o, &l); !at.IsZero() && !at.Before(cutoff) {
			return l.offset, true, nil
		}
	}
}

// timeOf returns the time that a line says, or none.
func (r *reading) timeOf(o *opened, l *line) time.Time {
	return syslog.Parse(string(l.text[:min(len(l.text), 200)]), latest(r.q.Now, o.info), time.Local).Time
}
