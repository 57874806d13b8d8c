package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// kindDamaged is the kind of a dead letter that is a whole group, packed, as it was found in the stream.
const kindDamaged = "damaged group"

// What is said of a dead letter, in the headers of its message.
const (
	headerKind   = "Muster-Kind"
	headerID     = "Muster-Id"
	headerReason = "Muster-Reason"
)

// maxReason bounds the reason of a dead letter, in bytes.
const maxReason = 2000

// Dead is an entry that nobody could work on.
type Dead struct {
	Entry
	Number uint64 // names it among the dead letters
	Reason string
	Buried time.Time
}

// Bury keeps an entry that can't be worked on among the dead letters, and returns when it is on disk. There it waits for
// Retry. Where dead letters have no more room, the oldest is given up, which is logged.
//
// Errors: ErrUnavailable, or ctx's.
func (q *Queue) Bury(ctx context.Context, e Entry, reason string) error {
	message := &nats.Msg{Subject: deadSubject, Data: e.Data, Header: nats.Header{}}
	message.Header.Set(headerKind, e.Kind)
	message.Header.Set(headerID, e.ID)
	message.Header.Set(headerReason, oneLine(reason, maxReason))
	var options []jetstream.PublishOpt
	if e.Number > 0 { // one that is buried again since nobody saw the receipt is there once
		options = append(options, jetstream.WithMsgID(fmt.Sprintf("%s %d", e.Kind, e.Number)))
	}
	options = append(options, jetstream.WithExpectStream(deadStream))
	return q.dead(ctx, "bury", func(ctx context.Context, l *link) error {
		for {
			_, err := l.js.PublishMsg(ctx, message, options...)
			if err != nil && !isFull(err) {
				l.suspect(err)
			}
			if !isFull(err) {
				return err
			}
			if err := q.forget(ctx, l); err != nil {
				return err
			}
		}
	})
}

// forget gives up the oldest dead letter.
func (q *Queue) forget(ctx context.Context, l *link) error {
	oldest, err := first(ctx, l.dead)
	if err != nil {
		return err
	}
	if oldest == nil {
		return ErrFull
	}
	q.log.ErrorContext(ctx, "a dead letter is lost: there is no more room for them", "kind", oldest.Kind, "id", oldest.ID,
		"reason", oldest.Reason)
	return l.dead.DeleteMsg(ctx, oldest.Number)
}

// DeadLetters returns the oldest dead letters, at most so many, without their Data.
//
// Errors: ErrUnavailable, or ctx's.
func (q *Queue) DeadLetters(ctx context.Context, most int) ([]Dead, error) {
	var all []Dead
	err := q.dead(ctx, "read", func(ctx context.Context, l *link) error {
		return eachDead(ctx, l.dead, func(d Dead) (bool, error) {
			d.Data = nil
			all = append(all, d)
			return len(all) < most, nil
		})
	})
	return all, err
}

// Retry puts the dead letters back into the queue, and returns how many. Those that are put back twice, because it was
// interrupted, are worked on twice.
//
// Errors: ErrFull, ErrUnavailable, or ctx's; those that were put back before are counted.
func (q *Queue) Retry(ctx context.Context) (int, error) {
	l, err := q.current()
	if err != nil {
		return 0, err
	}
	info, err := l.dead.Info(ctx)
	if err != nil {
		return 0, unavailable("read dead letters", err)
	}
	retried := 0
	err = eachDead(ctx, l.dead, func(d Dead) (bool, error) {
		if d.Number > info.State.LastSeq {
			return false, nil // buried again meanwhile
		}
		if d.Kind == kindDamaged {
			return true, nil
		}
		if err := q.Put(ctx, Entry{Kind: d.Kind, ID: d.ID, Data: d.Data}); err != nil {
			return false, err
		}
		retried++
		return true, l.dead.DeleteMsg(ctx, d.Number)
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrFull) {
		err = unavailable("put dead letters back", err)
	}
	q.ask()
	return retried, err
}

// dead makes a call that is about dead letters.
func (q *Queue) dead(ctx context.Context, doing string, do func(context.Context, *link) error) error {
	l, err := q.current()
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := do(call, l); err != nil {
		q.ask()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return unavailable(doing+" dead letters", err)
	}
	q.ask()
	return nil
}

// first returns the oldest dead letter; nil if there is none.
func first(ctx context.Context, stream jetstream.Stream) (*Dead, error) {
	var oldest *Dead
	err := eachDead(ctx, stream, func(d Dead) (bool, error) {
		oldest = &d
		return false, nil
	})
	return oldest, err
}

// eachDead calls do with every dead letter, oldest first, until it returns false.
func eachDead(ctx context.Context, stream jetstream.Stream, do func(Dead) (bool, error)) error {
	for next := uint64(1); ; next++ {
		message, err := stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(deadSubject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		next = message.Sequence
		more, err := do(Dead{
			Entry: Entry{
				Kind: message.Header.Get(headerKind), ID: message.Header.Get(headerID), Data: message.Data, Stored: message.Time,
			},
			Number: message.Sequence,
			Reason: message.Header.Get(headerReason),
			Buried: message.Time,
		})
		if err != nil || !more {
			return err
		}
	}
}

// oneLine returns a text without what a header can't hold, of at most so many bytes.
func oneLine(text string, most int) string {
	quoted := strconv.Quote(text)
	quoted = quoted[1 : len(quoted)-1]
	if len(quoted) > most {
		quoted = fmt.Sprintf("%.*s…", most, quoted)
	}
	return quoted
}
