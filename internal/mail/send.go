package mail

import "context"

// maxFailures is how many connections in a row may break before the server is left alone.
const maxFailures = 2

// Send hands messages to the server, all over one connection where the server lets it, and disconnects. It returns nil
// if the server accepted every message, and a [*SendError] that says which it did not otherwise. A message that is
// refused does not keep the others back. Nothing is tried twice: a message that was not accepted is the caller's to keep.
//
// It blocks until every message is accepted, refused or given up. Each step ends within the server's Timeout, and all
// end when ctx does.
func (s *Sender) Send(ctx context.Context, messages ...Message) error {
	outcome := &SendError{Errors: make([]*Error, len(messages))}
	var queue []parcel
	for i, m := range messages {
		e, err := s.envelope(m)
		if err != nil {
			outcome.Errors[i] = s.failure(context.WithoutCancel(ctx), StepMessage, err)
			continue
		}
		queue = append(queue, parcel{e, &outcome.Errors[i]})
	}
	failures := 0
	for len(queue) > 0 {
		b := s.batch(ctx, queue)
		queue = queue[b.done:]
		if b.answered {
			failures = 0
		} else {
			failures++
		}
		if b.done == 0 || failures >= maxFailures {
			lost := *b.lost
			lost.Uncertain = false // these were not handed over
			for _, p := range queue {
				*p.outcome = &lost
			}
			break
		}
	}
	if len(outcome.Unwrap()) == 0 {
		return nil
	}
	return outcome
}

// parcel is an envelope and where to say what became of it.
type parcel struct {
	*envelope
	outcome **Error
}

// batch is what became of one connection.
type batch struct {
	done     int    // how many parcels have their outcome
	answered bool   // the server took or refused at least one of them
	lost     *Error // what ended the connection early; nil: nothing did
}

// batch delivers over one connection, until all is delivered or the connection is lost.
func (s *Sender) batch(ctx context.Context, queue []parcel) batch {
	var b batch
	c, err := s.open(ctx)
	if err != nil {
		b.lost = err
		return b
	}
	defer c.close()
	for _, p := range queue {
		err := c.deliver(ctx, p.envelope)
		b.lost = c.lost
		if err != nil && err == c.lost && err.Step == StepSender && b.answered {
			return b // the server ends a connection after so many mails: this one goes over the next
		}
		*p.outcome = err
		b.done++
		b.answered = b.answered || err == nil || err != c.lost
		if c.lost != nil {
			return b
		}
	}
	return b
}

// Check connects, encrypts, logs in, asks for a sign of life and disconnects. It returns nil if mails could be sent, and
// an [*Error] otherwise; it blocks as [Sender.Send] does.
func (s *Sender) Check(ctx context.Context) error {
	c, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.step(ctx, StepCheck, c.client.Noop); err != nil {
		return err
	}
	return nil
}
