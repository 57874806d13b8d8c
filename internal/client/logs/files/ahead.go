package files

import (
	"errors"
	"slices"
)

// While a reading stands in a rotated file nothing is read of the live one, which may be truncated or deleted meanwhile. So
// the position says how far that was written when it was last looked at. What it had then must be in some file when the
// rotated one is left; if it is in none, it is gone.

// remember notes in the answer's position how far the live file is written, of which nothing is read before o is left. seen is
// what was noted before: where that is gone it stays until it is told of, when its turn would have come.
func (r *reading) remember(o *opened, seen sight) error {
	at, err := parsePosition(r.answer.Next.Position)
	if err != nil {
		return err
	}
	at.seen = seen
	if held, err := r.holdsAfter(o, seen); err == nil && held {
		if end, err := r.liveEnd(); err == nil { // if it can't be looked at now, it can the next time
			at.seen = sight{end, len(r.files) - 1 - r.index(o) - 1}
		}
	}
	r.answer.Next.Position = at.String()
	return nil
}

// leave reports whether what was seen of the live file while o was read is gone, and would come between o and the next one.
// Where it is gone and would come later it is unseen yet.
func (r *reading) leave(o, next *opened, seen sight) (lost bool, err error) {
	held, err := r.holdsAfter(o, seen)
	if err != nil || held {
		return false, err
	}
	if seen.between -= r.index(next) - r.index(o); seen.between < 0 {
		return true, nil
	}
	r.unseen = seen
	return false, nil
}

// holdsAfter reports whether what was seen of the live file is in one of the files after o, or may be in one that can't be
// read: why not is told when its turn comes.
func (r *reading) holdsAfter(o *opened, seen sight) (bool, error) {
	if seen.offset == 0 {
		return true, nil
	}
	for _, e := range slices.Backward(r.files[r.index(o)+1:]) {
		held, err := r.holds(e, seen)
		if held || err != nil {
			return held, err
		}
	}
	return false, nil
}

func (r *reading) holds(e entry, seen sight) (bool, error) {
	o, err := r.open(e)
	if errors.Is(err, errMoved) {
		return false, err
	}
	if err != nil {
		return true, nil
	}
	defer o.close()
	fit, err := seen.fits(r.ctx, o)
	if r.ctx.Err() != nil {
		return false, r.ctx.Err()
	}
	return fit == exact || err != nil, nil
}

// liveEnd returns the end of the live file's last whole line; the zero mark where there is no live file, or no line in it.
func (r *reading) liveEnd() (mark, error) {
	live := r.files[len(r.files)-1]
	if !live.live {
		return mark{}, nil
	}
	o, err := r.open(live)
	if err != nil {
		return mark{}, err
	}
	defer o.close()
	end, err := r.lastLine(o)
	if err != nil || end.offset == 0 {
		return mark{}, err
	}
	switch at, err := o.seek(r.ctx, end.offset); {
	case err != nil:
		return mark{}, err
	case at < end.offset:
		return mark{}, errMoved
	}
	return o.mark(end.offset, o.before)
}

// index returns which of the log's files one is.
func (r *reading) index(o *opened) int {
	return slices.IndexFunc(r.files, func(e entry) bool { return e.path == o.path })
}
