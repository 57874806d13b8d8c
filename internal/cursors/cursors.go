package cursors

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/internal/report"
)

// Table is where cursors are kept. Put and Delete return when it is on disk.
type Table interface {
	All(ctx context.Context) (map[string][]byte, error)
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
}

// Cursors are those of all hosts. Make them with New.
type Cursors struct {
	table Table
	now   func() time.Time

	mu    sync.Mutex
	hosts map[string]*host
}

// host is the channels of one host. Its lock is held while its value is written, so that what is in the table is what was
// written last.
type host struct {
	name string

	mu       sync.Mutex
	channels []channel // in the order in which they were first asked for
	unsaved  bool      // the table has not got all of it, because it failed
	taken    bool      // the table has not got all of it, because TakeUp leaves that to Move
}

// channel is what is stored of one channel. It is compared with ==.
type channel struct {
	Channel  string             `json:"channel"`
	Epoch    int64              `json:"epoch,omitempty"` // of the cursor; 0: nothing was read yet
	Record   int64              `json:"record,omitempty"`
	Position string             `json:"position,omitempty"`
	Begun    int64              `json:"begun,omitempty"`    // an epoch that is reserved, and not moved to
	Identity string             `json:"identity,omitempty"` // of that
	Newest   time.Time          `json:"newest,omitzero"`    // the time of the last record that was kept
	Behind   time.Time          `json:"behind,omitzero"`    // since when there is more to read than was read
	Trouble  report.TroubleKind `json:"trouble,omitempty"`  // why it could not be read the last time
	Text     string             `json:"text,omitempty"`     // of the trouble
	Since    time.Time          `json:"since,omitzero"`     // when the trouble began
	Left     time.Time          `json:"left,omitzero"`      // since when the configuration does not have it
}

// value is what the table holds of a host.
type value struct {
	Host     string    `json:"host"`
	Channels []channel `json:"channels"`
}

// New reads the table. now is the clock; nil: time.Now. The error is that of the table, or says which of its values can't be
// read.
func New(ctx context.Context, table Table, now func() time.Time) (*Cursors, error) {
	if now == nil {
		now = time.Now
	}
	c := &Cursors{table: table, now: now, hosts: make(map[string]*host)}
	all, err := table.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read how far the logs were read: %w", err)
	}
	for key, data := range all {
		var v value
		err := json.Unmarshal(data, &v)
		if err == nil && keyOf(v.Host) != key {
			err = errors.New("it is another host's")
		}
		if err != nil {
			return nil, fmt.Errorf("read how far the logs were read: %s: %w", key, err)
		}
		c.hosts[v.Host] = &host{name: v.Host, channels: v.Channels}
	}
	return c, nil
}

// keyOf returns the key of a host, whose name may have characters that keys can't.
func keyOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// host returns the channels of a host, which it makes where there are none.
func (c *Cursors) host(name string) *host {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[name]
	if h == nil {
		h = &host{name: name}
		c.hosts[name] = h
	}
	return h
}

// all returns all hosts.
func (c *Cursors) all() []*host {
	c.mu.Lock()
	defer c.mu.Unlock()
	hosts := make([]*host, 0, len(c.hosts))
	for _, h := range c.hosts {
		hosts = append(hosts, h)
	}
	return hosts
}

// Requests returns what is to be asked of a host's channels next. Of each it is given what is wanted, and adds Cursor,
// Fresh and Begun. Channels that are unknown (see Unknown) are left out: where they stand has to be found out first.
func (c *Cursors) Requests(name string, wanted []report.LogRequest) []report.LogRequest {
	requests := make([]report.LogRequest, 0, len(wanted))
	h := c.host(name)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range wanted {
		at := h.find(r.Channel)
		if at < 0 {
			continue
		}
		ch := &h.channels[at]
		r.Cursor = report.Cursor{Epoch: ch.Epoch, Record: ch.Record, Position: ch.Position}
		r.Begun = report.Epoch{Number: ch.Begun, Identity: ch.Identity}
		// Numbers that were given are not greater than these two: each was greater than those before it.
		r.Fresh = max(c.now().Unix(), above(ch.Epoch), above(ch.Begun))
		requests = append(requests, r)
	}
	return requests
}

// above returns the number after one; the greatest where there is none.
func above(number int64) int64 {
	if number == math.MaxInt64 {
		return number
	}
	return number + 1
}

// errLast refuses the one number after which no epoch can begin. Only the numbers of journals are of their hosts' choice.
var errLast = errors.New("its epoch has the greatest number of all, after which there is none")

func (h *host) find(name string) int {
	return slices.IndexFunc(h.channels, func(ch channel) bool { return ch.Channel == name })
}

// Reserve returns when the epochs that began in an answer are on disk, under their numbers. It writes only where one did, and
// where the last Move could not: so of what was put at most one answer is behind the cursors on disk, which is what a reservation
// speaks for.
func (c *Cursors) Reserve(ctx context.Context, name string, answer []report.Logs) error {
	h := c.host(name)
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range answer {
		if answer[i].Epoch == math.MaxInt64 {
			return fmt.Errorf("%s: %w", report.Visible(answer[i].Channel, report.MaxChannel), errLast)
		}
	}
	begun := slices.DeleteFunc(slices.Clone(answer), func(l report.Logs) bool { return l.Begun == "" })
	next := h.with(begun, func(ch *channel, l *report.Logs) {
		ch.Begun, ch.Identity = l.Epoch, strings.Clone(l.Begun)
	})
	if slices.Equal(next, h.channels) && !h.unsaved {
		return nil
	}
	if err := c.write(ctx, h, next); err != nil {
		return fmt.Errorf("note where the reading of the logs stands, before more is kept: %w", err)
	}
	h.channels = next
	return nil
}

// Move notes where the next reading begins, and how the last one went. It is called when all that the answer brought is
// kept, and returns when that is on disk, if anything has changed or was taken up. After an error it is in memory alone.
func (c *Cursors) Move(ctx context.Context, name string, answer []report.Logs) error {
	h := c.host(name)
	h.mu.Lock()
	defer h.mu.Unlock()
	now := c.now().UTC().Truncate(time.Second)
	next := h.with(answer, func(ch *channel, l *report.Logs) { ch.move(l, now) })
	if slices.Equal(next, h.channels) && !h.unsaved && !h.taken {
		return nil
	}
	h.channels = next
	err := c.write(ctx, h, next)
	if err != nil {
		return fmt.Errorf("note how far the logs were read: after a restart what came since then is read again: %w", err)
	}
	return nil
}

// move takes an answer's word for where the next reading begins. An answer that has none, such as that of a channel
// that could not be read, leaves the cursor where it is.
func (ch *channel) move(l *report.Logs, now time.Time) {
	if l.Next != (report.Cursor{}) {
		ch.Epoch, ch.Record, ch.Position = l.Next.Epoch, l.Next.Record, strings.Clone(l.Next.Position)
		if ch.Epoch == ch.Begun {
			ch.Begun, ch.Identity = 0, ""
		}
	}
	if n := len(l.Records); n > 0 {
		ch.Newest = l.Records[n-1].Time.UTC()
	}
	switch {
	case l.Trouble != nil: // which says nothing of whether there is more
	case !l.More:
		ch.Behind = time.Time{}
	case ch.Behind.IsZero():
		ch.Behind = now
	}
	ch.note(l.Trouble, now)
}

// note notes that a channel could be read, or why not.
func (ch *channel) note(t *report.Trouble, now time.Time) {
	if t == nil {
		ch.Trouble, ch.Text, ch.Since = "", "", time.Time{}
		return
	}
	if ch.Trouble == "" {
		ch.Since = now
	}
	if ch.Trouble != t.Kind {
		ch.Text = report.Visible(t.Text, report.MaxReason) // the words may differ each time, and are not worth a write
	}
	ch.Trouble = t.Kind
}

// with returns the channels as they are when change was made to each that the answer has.
func (h *host) with(answer []report.Logs, change func(*channel, *report.Logs)) []channel {
	next := slices.Clone(h.channels)
	for i := range answer {
		l := &answer[i]
		at := slices.IndexFunc(next, func(ch channel) bool { return ch.Channel == l.Channel })
		if at < 0 {
			at = len(next)
			next = append(next, channel{Channel: strings.Clone(l.Channel)})
		}
		next[at].Left = time.Time{}
		change(&next[at], l)
	}
	return next
}

// write writes the channels of a host. The caller holds its lock.
func (c *Cursors) write(ctx context.Context, h *host, channels []channel) error {
	data, err := json.Marshal(value{Host: h.name, Channels: channels})
	if err == nil {
		err = c.table.Put(ctx, keyOf(h.name), data)
	}
	h.unsaved = err != nil
	h.taken = h.taken && err != nil
	return err
}
