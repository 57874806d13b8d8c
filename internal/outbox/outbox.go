// Package outbox keeps mails until the mail server has taken responsibility for them.
//
// An [Outbox] stands between whoever has news and the mail server. [Outbox.Post] returns when a letter is on disk;
// [Outbox.Run] sends what waits, tries again what was not accepted, and writes down what became of it. The disk is a
// [Table], a durable map that is read once, at the start.
//
// A letter is one mail: what one receiver is told of one sweep. It waits, and then it was sent, or it was refused for
// good. It is kept as it was rendered, so that every attempt hands over the same bytes under the same Message-ID, even
// one by a later version of this program, and so that its size is bounded though a digest's is not.
//
// Promises:
//   - A letter that was accepted by Post is sent at least once, whatever is killed, unless the mail server refuses it
//     for good; then it is kept and shown with the server's words.
//   - It is sent once, but for two cases that SMTP leaves open. The mail server had the whole mail and its answer did
//     not come ([mail.Error].Uncertain): the mail is sent again. The process was killed after the server's answer and
//     before the record of it was on disk; the letters of one connection, [PerConnection] at most, are recorded when
//     it is done, or later if the table does not take them. Both times the Message-ID is the same, by which mail programs recognise a copy.
//   - A receiver has one letter waiting at most. While it waits further news is [Deferred]: an hour without a mail
//     server gives two mails and not sixty.
//   - One mail that is refused, or that has to wait, does not keep the others back. A mail server that is wholly away
//     is asked by one connection, after growing pauses, however many letters wait.
//   - Letters that wait are never given up, nor forgotten by age: a clock that jumps costs none.
//   - A record that can't be read is left where it is and shown as refused. It stops nothing.
//
// Bounds: a letter is at most [MaxLetter] bytes, and of each receiver one waits and [KeepPerReceiver] of each kind are
// remembered after that, without their text.
//
// It refuses nothing else, and decides nothing: what is news is its caller's, and so is putting off a letter for the
// next sweep. It writes no file, opens no connection and makes no goroutine but for the time of a call. Everything here
// is safe for concurrent use.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"muster/internal/mail"
)

// Table is where letters are kept: a durable map. All is read once; Put and Delete return when it is on disk. A Put that
// fails may have been done all the same.
type Table interface {
	All(ctx context.Context) (map[string][]byte, error)
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
}

// Sender is the mail server. Send returns nil if every message was accepted, and a [*mail.SendError] that says which was
// not otherwise; any other error means that none was. It ends soon after ctx does.
type Sender interface {
	Send(ctx context.Context, messages ...mail.Message) error
	Check(ctx context.Context) error
}

// Options are what an Outbox is made of.
type Options struct {
	Table  Table            // needed
	Sender Sender           // needed: who has no mail server has no outbox
	Logger *slog.Logger     // nil: nothing is logged
	Now    func() time.Time // the clock that records are dated by; nil: time.Now
}

// Outbox holds the letters of one table, of which it is the only user.
type Outbox struct {
	table  Table
	sender Sender
	log    *slog.Logger
	now    func() time.Time

	posting chan struct{} // holds a token while a letter is posted: one at a time
	running chan struct{} // holds a token while Run runs
	wake    chan struct{} // holds a token where Run may have work

	mu        sync.Mutex
	letters   map[string]*letter   // by key
	receivers map[string][]*letter // by receiver, oldest first
	doubtful  map[string]string    // by receiver: the key of a letter that may be in the table though Put failed
	crowded   bool                 // some receiver has more letters than are kept
	changed   chan struct{}        // closed and replaced when something was tried, or came to its end
	away      trouble              // with the mail server
	unwritten trouble              // with the table
	forgetAt  time.Time            // when old letters are looked for next
	counts    counts
}

// counts is what happened since New.
type counts struct{ sent, refused, retries uint64 }

// New reads the table. Its error is the table's, or says that something is missing in the options.
func New(ctx context.Context, o Options) (*Outbox, error) {
	if o.Table == nil || o.Sender == nil {
		return nil, errors.New("outbox: it needs a table and a sender")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Outbox{
		table: o.Table, sender: o.Sender, log: o.Logger, now: o.Now,
		posting:   make(chan struct{}, 1),
		running:   make(chan struct{}, 1),
		wake:      make(chan struct{}, 1),
		letters:   make(map[string]*letter),
		receivers: make(map[string][]*letter),
		doubtful:  make(map[string]string),
		changed:   make(chan struct{}),
	}
	values, err := b.table.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("outbox: read the mails that wait: %w", err)
	}
	b.load(ctx, values)
	return b, nil
}

// load takes up the letters of the table.
func (o *Outbox) load(ctx context.Context, values map[string][]byte) {
	letters := make([]*letter, 0, len(values))
	waiting := 0
	for key, value := range values {
		r, err := decode(key, value)
		l := &letter{key: key, record: r}
		if err != nil {
			l.foreign, l.record = true, unreadable(key, err, o.now())
			o.log.ErrorContext(ctx, "a mail that was kept can't be read, it is not sent", "key", key, "err", err,
				"advice", l.Advice)
		}
		if l.State == waits {
			waiting++
		}
		letters = append(letters, l)
	}
	slices.SortFunc(letters, byAge)
	for _, l := range letters {
		o.file(l)
	}
	if waiting > 0 {
		o.log.InfoContext(ctx, "mails wait to be sent", "waiting", waiting)
	}
}

// file puts a letter where it is found, in the place of one with its key. mu is held, or o is not shared yet.
func (o *Outbox) file(l *letter) {
	if old := o.letters[l.key]; old != nil {
		o.remove(old)
	}
	o.letters[l.key] = l
	o.receivers[l.To] = append(o.receivers[l.To], l)
	o.crowded = o.crowded || len(o.receivers[l.To]) > KeepPerReceiver
}

// remove takes a letter out. mu is held.
func (o *Outbox) remove(l *letter) {
	delete(o.letters, l.key)
	left := slices.DeleteFunc(o.receivers[l.To], func(other *letter) bool { return other == l })
	if len(left) == 0 {
		delete(o.receivers, l.To)
		return
	}
	o.receivers[l.To] = left
}

// Check asks the mail server for a sign of life. It returns what the sender's Check does; nothing is sent.
func (o *Outbox) Check(ctx context.Context) error { return o.sender.Check(ctx) }

// nudge tells Run that there may be work.
func (o *Outbox) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// announce tells Flush that something was tried. mu is held.
func (o *Outbox) announce() {
	close(o.changed)
	o.changed = make(chan struct{})
}
