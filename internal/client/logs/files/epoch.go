package files

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// identity tells the file that an epoch began with, and what was read of it then: who has all of that can be read under the
// epoch's number, for no record has come under it that is not there.
type identity struct {
	file       string
	start, end int64       // what was read; of the epoch that began without a file start is when, and end 0
	head       fingerprint // of what stands before the end, as in a position
	tail       fingerprint
}

func (i identity) String() string {
	return fmt.Sprintf("%s %s %d %d %s %s", edition, i.file, i.start, i.end, i.head, i.tail)
}

func parseIdentity(text string) (identity, bool) {
	words := strings.Fields(text)
	if len(words) != 6 || words[0] != edition {
		return identity{}, false
	}
	start, err1 := strconv.ParseInt(words[2], 10, 64)
	end, err2 := strconv.ParseInt(words[3], 10, 64)
	head, ok1 := parseFingerprint(words[4])
	tail, ok2 := parseFingerprint(words[5])
	ok := ok1 && ok2 && err1 == nil && err2 == nil && start >= 0 && end >= int64(max(head.size, tail.size))
	return identity{words[1], start, end, head, tail}, ok
}

// isOfNothing reports whether the epoch began when there was no file.
func (i identity) isOfNothing() bool { return i.end < i.start }

// of reports whether the epoch began with this file, as far as its content and its name on the disk tell: a file of which
// nothing was read is known by the latter, another by its content, since it may have been copied or compressed.
func (i identity) of(ctx context.Context, o *opened) (bool, error) {
	if i.end == 0 {
		return i.file != unknownFile && i.file == o.id, nil
	}
	fit, err := mark{i.end, i.head, i.tail}.fits(ctx, o)
	return fit == exact, err
}

// start is where a file is begun with.
type start struct {
	offset int64
	inside bool // in a line whose rest is passed over
}

// begin begins a new epoch with a file. Where it can read none of what there is to read it begins none: there would be
// nothing to know the file by.
func (r *reading) begin(o *opened, from start, why string) error {
	r.answer.Epoch, r.answer.Why = r.q.Fresh, why
	known, again := r.begun()
	if again = again && known.start == from.offset; again {
		its, err := known.of(r.ctx, o)
		if err != nil {
			return err
		}
		again = its
	}
	if again {
		r.answer.Epoch = r.q.Begun.Number
	}
	if _, err := o.seek(r.ctx, from.offset); err != nil {
		return err
	}
	if err := r.take(o, from.inside, false, 0); err != nil {
		return err
	}
	at, err := parsePosition(r.answer.Next.Position)
	if err != nil {
		return err
	}
	if at.offset == from.offset && (r.answer.More || r.answer.Trouble != nil) {
		before := r.answer
		r.answer = unchanged(r.q, nil)
		r.answer.More, r.answer.Trouble = before.More, before.Trouble
		return nil
	}
	if r.answer.Begun = (identity{o.id, from.offset, at.offset, at.head, at.tail}).String(); again {
		r.answer.Begun = r.q.Begun.Identity
	}
	if o.live {
		return nil
	}
	r.answer.More = true // the next reading finds out whether there is more behind a rotated file
	return r.remember(o, r.unseen)
}

// begun returns the epoch that was begun in an answer which was perhaps kept. One that the cursor is of certainly was.
func (r *reading) begun() (identity, bool) {
	if r.q.Begun.Number <= r.q.Cursor.Epoch {
		return identity{}, false
	}
	return parseIdentity(r.q.Begun.Identity)
}
