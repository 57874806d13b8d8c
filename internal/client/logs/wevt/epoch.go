package wevt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"muster/internal/client/logs"
	"muster/internal/report"
)

// identity is that of an epoch: the answer with which it began. Until the cursor is of the epoch no other records come under
// its number, however often they are read: so what is behind them may be of any log.
type identity struct {
	first int64  // the first id that the answer may have brought; last.id + 1 where it was to bring none
	last  passed // the last record that it read or passed over
	lost  []logs.Loss
}

// empty is the identity of an epoch that began in a log without records.
const empty = "empty"

// String returns the identity as text, of at most report.MaxIdentity bytes. There is room for three epochs that are lost, whatever
// their numbers, the newest first; of those beyond the room the oldest are left out.
func (i identity) String() string {
	if i.last.id == 0 {
		return empty
	}
	text := fmt.Sprintf("%d %s %d", i.last.id, i.last.mark, i.first)
	var words strings.Builder
	for n := len(i.lost) - 1; n >= 0; n-- {
		word := " " + i.lost[n].String()
		if len(text)+words.Len()+len(word) > report.MaxIdentity {
			break
		}
		words.WriteString(word)
	}
	return text + words.String()
}

// parseIdentity parses the identity of an epoch that began with records.
func parseIdentity(text string) (identity, bool) {
	words := strings.Fields(text)
	if len(words) < 3 {
		return identity{}, false
	}
	last, err1 := strconv.ParseInt(words[0], 10, 64)
	first, err2 := strconv.ParseInt(words[2], 10, 64)
	lost, ok := logs.ParseLosses(words[3:])
	if !ok || err1 != nil || err2 != nil || last < 1 || first < 1 || first > last+1 {
		return identity{}, false
	}
	slices.Reverse(lost) // the newest comes first
	return identity{first, passed{last, words[1]}, lost}, true
}

// begun returns the epoch that began with records in an answer that was perhaps kept. One that the cursor is of certainly was.
func (r *reading) begun() (identity, bool) {
	if r.q.Begun.Number <= r.q.Cursor.Epoch {
		return identity{}, false
	}
	return parseIdentity(r.q.Begun.Identity)
}

// found is what became of a record.
type found int

const (
	isThere   found = iota
	isGone          // it is older than the oldest, or can't be rendered: that says nothing of the log
	isAnother       // its id is another record's, or above that of the newest: so this is another log
)

// find looks for a record that was read.
func (r *reading) find(ctx context.Context, p passed, oldest int64) (found, error) {
	switch {
	case p.id > r.end.id:
		return isAnother, nil
	case p.id < oldest:
		return isGone, nil
	}
	record, err := r.record(ctx, p.id)
	switch {
	case err != nil:
		return 0, err
	case record.ID == 0:
		return isGone, nil
	case mark(&record) != p.mark:
		return isAnother, nil
	}
	return isThere, nil
}

// passed is a record as its mark has it.
type passed struct {
	id   int64
	mark string
}

// mark tells a record from every other that has its id: a hash of what Windows prints alike in all its versions. Without a
// time that is not enough, and it is one of the whole XML.
func mark(r *report.Record) string {
	text := fmt.Sprintf("%d %d %d %s", r.ID, r.Time.UnixNano(), r.Event, r.Source)
	if r.Time.IsZero() {
		text = r.Raw
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}
