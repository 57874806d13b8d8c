package logs

import (
	"fmt"
	"strconv"
)

// Loss is what is gone of an epoch that began in an answer which was perhaps kept: everything from a record on. The cursor knows
// nothing of it. So a reader writes it into the identity of the epoch that began then, and tells it as a gap in each answer
// until the cursor is of that one.
type Loss struct{ Epoch, First int64 }

// String returns the loss as two words, which ParseLosses reads.
func (l Loss) String() string { return fmt.Sprintf("%d %d", l.Epoch, l.First) }

// ParseLosses parses the words of any number of losses; false: they are not that.
func ParseLosses(words []string) (losses []Loss, ok bool) {
	if len(words)%2 != 0 {
		return nil, false
	}
	for ; len(words) > 0; words = words[2:] {
		epoch, err1 := strconv.ParseInt(words[0], 10, 64)
		first, err2 := strconv.ParseInt(words[1], 10, 64)
		if err1 != nil || err2 != nil || epoch < 1 || first < 1 {
			return nil, false
		}
		losses = append(losses, Loss{epoch, first})
	}
	return losses, true
}
