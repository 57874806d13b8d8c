package files

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"muster/internal/client/logs"
)

// identity tells the file that an epoch began with, by what was read of it: who has all of that can be read under the epoch's
// number, for no record has come under it that is not there. An epoch that began where there was nothing to read has the
// position that says so, and never gets a record: there would be nothing to know its file by.
type identity struct {
	start int64    // where in the file the epoch began
	at    position // where the reading stood then
	lost  []logs.Loss
}

// mostLost bounds the losses of an identity. Each is one more crash after the last cursor that was kept.
const mostLost = 4

func (i identity) String() string {
	text := fmt.Sprintf("%d %s", i.start, i.at)
	for _, l := range i.lost {
		text += " " + l.String()
	}
	return text
}

func parseIdentity(text string) (identity, bool) {
	words := strings.Fields(text)
	if len(words) < 1+positionWords {
		return identity{}, false
	}
	start, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil || start < 0 {
		return identity{}, false
	}
	at, err := parsePosition(strings.Join(words[1:1+positionWords], " "))
	if err != nil || start > at.offset {
		return identity{}, false
	}
	lost, ok := logs.ParseLosses(words[1+positionWords:])
	if !ok {
		return identity{}, false
	}
	return identity{start, at, lost}, true
}

// isOfNothing reports whether the epoch began where there was no line yet.
func (i identity) isOfNothing() bool { return i.at.offset == 0 }

// of reports whether the epoch began with this file, as far as its content tells: it may have been copied or compressed.
func (i identity) of(ctx context.Context, o *opened) (bool, error) {
	fit, err := i.at.fits(ctx, o)
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
	known, again, err := r.resume(o, from)
	if err != nil {
		return err
	}
	if again {
		r.answer.Epoch = r.q.Begun.Number
	}
	at, err := r.takeFrom(o, from)
	if err != nil {
		return err
	}
	if at.offset == from.offset && (from.offset == 0 || r.answer.More || r.answer.Trouble != nil) {
		before := r.answer
		r.answer = unchanged(r.q, nil)
		r.answer.More, r.answer.Trouble = before.More, before.Trouble
		return nil
	}
	if r.answer.Begun = (identity{from.offset, at, known.lost}).String(); again && at.offset < known.at.offset {
		r.answer.Begun = r.q.Begun.Identity
	}
	if o.live {
		return nil
	}
	r.answer.More = true // the next reading finds out whether there is more behind a rotated file
	return r.remember(o, r.unseen)
}

// takeFrom reads on from a place, and returns where the reading stands then. Of a rotated file that has no whole line it reads
// the beginning of one, if the file can be left.
func (r *reading) takeFrom(o *opened, from start) (position, error) {
	for _, final := range []bool{false, true} {
		if _, err := o.seek(r.ctx, from.offset); err != nil {
			return position{}, err
		}
		if err := r.take(o, from.inside, final, 0); err != nil {
			return position{}, err
		}
		at, err := parsePosition(r.answer.Next.Position)
		if final || err != nil || o.live || at.offset > 0 || r.answer.More || r.answer.Trouble != nil || !r.settled(o) {
			return at, err
		}
		next, _, err := r.successor(r.index(o))
		if next == nil || err != nil {
			return at, err
		}
		next.close()
	}
	return position{}, nil
}

// resume returns what is known of the epoch that was perhaps begun before, and reports whether it is this one. Where its file is
// gone that is a loss, and told as a gap, which the next epoch's identity has too: until the cursor is moved to that nobody
// knows whether the gap was kept.
func (r *reading) resume(o *opened, from start) (known identity, again bool, err error) {
	known, ok := r.begun()
	if !ok || known.isOfNothing() {
		return known, false, nil
	}
	reason := filepath.Base(r.path) + " was truncated, deleted or rotated away before the server, which was stopped meanwhile, had " +
		"noted how far it was read"
	if known.start == from.offset {
		if again, err = known.of(r.ctx, o); err != nil {
			return known, false, err
		}
	}
	if !again {
		holder, _, refused := r.holder(known.at)
		if holder != nil {
			holder.close()
		}
		if errors.Is(refused, errMoved) || r.ctx.Err() != nil {
			return known, false, errors.Join(refused, r.ctx.Err())
		}
		if holder == nil && refused != nil {
			reason += " (" + refused.Error() + ")"
		}
		if holder == nil && len(known.lost) < mostLost {
			known.lost = append(known.lost, logs.Loss{Epoch: r.q.Begun.Number, First: known.start + 1})
		}
	}
	for _, l := range known.lost {
		r.gap(l.Epoch, l.First, reason)
	}
	return known, again, nil
}

// begun returns the epoch that was begun in an answer which was perhaps kept. One that the cursor is of certainly was.
func (r *reading) begun() (identity, bool) {
	if r.q.Begun.Number <= r.q.Cursor.Epoch {
		return identity{}, false
	}
	return parseIdentity(r.q.Begun.Identity)
}
