package cursors

import (
	"fmt"
	"math"
	"strings"

	"muster/internal/report"
)

// Unknown returns those of a host's channels of which nothing is known: neither does the table hold anything of them, nor did
// TakeUp say anything.
func (c *Cursors) Unknown(name string, channels []string) []string {
	h := c.host(name)
	h.mu.Lock()
	defer h.mu.Unlock()
	var unknown []string
	for _, channel := range channels {
		if h.find(channel) < 0 {
			unknown = append(unknown, channel)
		}
	}
	return unknown
}

// TakeUp has channels of a host go on where a copy of their cursors says that they stand; those of which the copy has none
// begin as channels that were never read. Channels that are known stay as they are: the copy may be behind what they brought.
// New epochs get numbers greater than those of the copy.
//
// It is in memory alone until the host's next Move writes it down, so that a fleet that is taken up costs no write a host; a
// process that ends before finds the channels unknown again, which is as well. It returns how many channels go on at a cursor
// of the copy. The error names what in the copy can't be a cursor; those channels begin as if the copy had none.
func (c *Cursors) TakeUp(name string, channels []string, copied map[string]report.Cursor) (taken int, err error) {
	h := c.host(name)
	h.mu.Lock()
	defer h.mu.Unlock()
	var bad []string
	for _, of := range channels {
		if h.find(of) >= 0 {
			continue
		}
		ch := channel{Channel: of}
		switch at, ok := copied[of]; {
		case ok && isCursor(at):
			ch.Epoch, ch.Record, ch.Position = at.Epoch, at.Record, at.Position
			taken++
		case ok:
			bad = append(bad, fmt.Sprintf("%s: epoch %d, record %d, position %s", report.Visible(of, report.MaxChannel),
				at.Epoch, at.Record, report.Visible(at.Position, report.MaxReason)))
		}
		h.channels = append(h.channels, ch)
		h.taken = true
	}
	if len(bad) > 0 {
		err = fmt.Errorf("host %s: where the reading of its logs is said to stand can't be: %s", name, strings.Join(bad, "; "))
	}
	return taken, err
}

// isCursor tells whether a copy can be one of a cursor after which epochs can begin, and can be sent in a request.
func isCursor(at report.Cursor) bool {
	return at.Epoch > 0 && at.Epoch < math.MaxInt64 && at.Record >= 0 &&
		len(at.Position) <= report.MaxPosition && report.Visible(at.Position, 0) == at.Position
}
