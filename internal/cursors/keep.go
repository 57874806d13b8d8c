package cursors

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"muster/internal/report"
)

// keptFor is how long the cursor of a channel is kept that the configuration no longer has.
const keptFor = 30 * 24 * time.Hour

// Adopt takes over which channels of which hosts the configuration has, by the hosts' names. The others keep their
// cursors for a month from then on, and are forgotten by the first Adopt after that. It returns what could not be written
// of that; the next Adopt tries again.
func (c *Cursors) Adopt(ctx context.Context, configured map[string][]string) error {
	now := c.now().UTC().Truncate(time.Second)
	var errs []error
	for _, h := range c.all() {
		if err := c.adopt(ctx, h, configured[h.name], now); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("note which logs are no longer read, of %d hosts: %w", len(errs), errs[0])
	}
	return nil
}

func (c *Cursors) adopt(ctx context.Context, h *host, channels []string, now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := slices.Clone(h.channels)
	for i := range next {
		switch ch := &next[i]; {
		case slices.Contains(channels, ch.Channel):
			ch.Left = time.Time{}
		case ch.Left.IsZero():
			ch.Left = now
		}
	}
	next = slices.DeleteFunc(next, func(ch channel) bool { return !ch.Left.IsZero() && now.Sub(ch.Left) > keptFor })
	if len(next) == 0 {
		return c.forget(ctx, h)
	}
	if slices.Equal(next, h.channels) {
		return nil
	}
	err := c.write(ctx, h, next)
	if err == nil {
		h.channels = next
	}
	return err
}

// forget forgets a host of which nothing is known any more. The caller holds the host's lock.
func (c *Cursors) forget(ctx context.Context, h *host) error {
	if len(h.channels) > 0 {
		if err := c.table.Delete(ctx, keyOf(h.name)); err != nil {
			return err
		}
		h.channels = nil
	}
	return nil // it stays in the map: somebody may wait for its lock
}

// Concern is a channel that is behind, or that can't be read.
type Concern struct {
	Host    string             `json:"host"`
	Channel string             `json:"channel"`
	Behind  time.Time          `json:"behind_since,omitzero"` // since when there is more to read than was read; zero: there is not
	Newest  time.Time          `json:"newest,omitzero"`       // the time of the last record that was kept; zero: none was
	Trouble report.TroubleKind `json:"trouble,omitempty"`     // empty: it can be read
	Text    string             `json:"text,omitempty"`        // of the trouble, as it began
	Since   time.Time          `json:"since,omitzero"`        // when it began
}

// Concerns returns the channels of the configuration that are behind or can't be read, by host and channel.
func (c *Cursors) Concerns() []Concern {
	var all []Concern
	for _, h := range c.all() {
		h.mu.Lock()
		for i := range h.channels {
			ch := &h.channels[i]
			if ch.Left.IsZero() && (!ch.Behind.IsZero() || ch.Trouble != "") {
				all = append(all, Concern{
					Host: h.name, Channel: ch.Channel, Behind: ch.Behind, Newest: ch.Newest,
					Trouble: ch.Trouble, Text: ch.Text, Since: ch.Since,
				})
			}
		}
		h.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b Concern) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Channel, b.Channel))
	})
	return all
}

// Known is what is known of a channel.
type Known struct {
	Epoch   int64              // of its cursor; 0: nothing was read yet
	Trouble report.TroubleKind // why it could not be read the last time; empty: it could
}

// Known returns what is known of the channels of a host.
func (c *Cursors) Known(name string) map[string]Known {
	h := c.host(name)
	h.mu.Lock()
	defer h.mu.Unlock()
	known := make(map[string]Known, len(h.channels))
	for i := range h.channels {
		known[h.channels[i].Channel] = Known{Epoch: h.channels[i].Epoch, Trouble: h.channels[i].Trouble}
	}
	return known
}
