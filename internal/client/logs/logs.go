// Package logs reads log records on a host: it shares out what a request allows over the request's channels, and has one
// reader after the other read its own.
//
// It knows no log by itself. Package all lists the readers of the platform; the packages below this one are readers.
//
// # What it promises
//
// Every channel that is asked for is in the answer, with records, with trouble, or with More where neither time nor room was
// left for it. A reader that fails, panics or hangs is trouble of its own channel and of no other; so is one whose answer
// could not be sent, or is none to what was asked.
//
// # Bounds
//
// Each channel has an equal share of the records, the bytes and the time that are left when its turn comes, so what one
// does not need the next ones have. What then is left over, those have that have more to read. Which comes first changes
// from part to part and from minute to minute: a channel whose records are larger than its share is the first one day.
//
// In memory there are the records that the report will have and no others: bytes are counted as the report's XML has them,
// by Batch, before a record is kept. So a host with a million records that wait needs no more memory than one with five
// thousand: some 24 MiB for a whole pass, whatever the records.
//
// A reader that hangs in the kernel stays behind in a goroutine (see package bound).
package logs

import (
	"context"
	"time"

	"muster/internal/report"
)

// Query is what a reader is asked for: one channel, within bounds. A Batch holds a reader to the bounds.
type Query struct {
	report.LogRequest
	Records int       // how many records the answer may have; at least 1
	Bytes   int       // how many bytes they may have, as Record.Size counts them; see Batch
	Now     time.Time // when the reading began: Since counts back from it
	Most    int       // how many bytes a first record may have that alone has more than Bytes; 0: as many as Bytes
}

// Reader reads one channel from where the query's cursor stands.
//
// It always answers: what was read before trouble came is in the answer, with Trouble set and Next good for what is
// there. Next moves over records that the filter leaves out, too. Where ctx ends it returns soon, with what it has and
// More set. The records are in the order of their ids, all of one epoch; where another epoch follows, it stops with More
// set. It leaves nothing open.
//
// The answer's Channel need not be set. A new epoch gets the number q.Begun.Number where q.Begun.Identity is that of
// the log, and q.Fresh otherwise; the answer's Begun and Why then say so.
type Reader func(ctx context.Context, q Query) report.Logs

// Source is a kind of log.
type Source struct {
	Takes func(channel string) bool // whether the channel is one of this kind
	Read  Reader
}
