package queue

import (
	"context"
	"errors"
	"fmt"
)

// put is entries on their way to disk.
type put struct {
	entries []Entry
	size    int
	result  chan error // has room for one
}

// Put appends entries, all or none of them, and returns when they are on disk. Entries that are put at the same time
// share one group. It blocks until then: while the queue can't be used as long as the
// Options' Patience. After ErrUnavailable and errors of ctx the entries may be in the
// queue or not; whoever puts them again puts them twice perhaps.
//
// Errors: ErrFull, ErrUnavailable, ErrTooLarge, or ctx's.
func (q *Queue) Put(ctx context.Context, entries ...Entry) error {
	if len(entries) == 0 {
		return nil
	}
	p := &put{entries: entries, result: make(chan error, 1)}
	for i := range entries {
		p.size += entries[i].size()
		if e := &entries[i]; len(e.Kind) > maxText || len(e.ID) > maxText {
			return fmt.Errorf("%w: its kind or its id has more than %d bytes", ErrTooLarge, maxText)
		}
	}
	if p.size > unpackedMost {
		return fmt.Errorf("%w: %d bytes, of which a queue takes %d", ErrTooLarge, p.size, unpackedMost)
	}
	select {
	case q.puts <- p:
	case <-q.ended:
		return fmt.Errorf("%w: it is closed", ErrUnavailable)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-p.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxText bounds the kind and the id of an entry, in bytes.
const maxText = 255

func (e *Entry) size() int { return len(e.Kind) + len(e.ID) + len(e.Data) + 16 }

func (p *put) vital() bool {
	for i := range p.entries {
		if !p.entries[i].Vital {
			return false
		}
	}
	return true
}

// publish writes groups until ctx ends: each holds what came while the one before was on its way.
func (q *Queue) publish(ctx context.Context) {
	var held *put // did not fit into the group before
	for {
		var group []*put
		var size int
		if held != nil {
			group, size, held = append(group, held), held.size, nil
		} else {
			select {
			case p := <-q.puts:
				group, size = append(group, p), p.size
			case <-ctx.Done():
				return
			}
		}
	gather:
		for size < packBytes {
			select {
			case p := <-q.puts:
				if size+p.size > packBytes {
					held = p
					break gather
				}
				group, size = append(group, p), size+p.size
			default:
				break gather
			}
		}
		q.append(ctx, group)
	}
}

// append writes one group, without those that a bound refuses.
func (q *Queue) append(ctx context.Context, group []*put) {
	taken := group[:0]
	var entries []Entry
	for _, p := range group {
		if err := q.refusal(p); err != nil {
			p.result <- err
			continue
		}
		taken = append(taken, p)
		entries = append(entries, p.entries...)
	}
	if len(entries) == 0 {
		return
	}
	err := q.write(ctx, entries)
	if errors.Is(err, ErrTooLarge) && len(taken) > 1 {
		for _, p := range taken { // whoever did not put the large one is not to suffer from it
			p.result <- q.write(ctx, p.entries)
		}
		return
	}
	for _, p := range taken {
		p.result <- err
	}
}
