package watch

import (
	"maps"
	"slices"

	"muster/internal/report"
)

const (
	epochsKept  = 8    // of a channel, in which it is known how far was counted
	pendingHost = 100  // records of one host that are kept to be mailed; more are only counted
	pendingMost = 1000 // of all hosts of a shard
)

// hostLogs is what is known of the log records of a host on which there are limits, or that are mailed. The zero value is that
// of a host of which none came.
type hostLogs struct {
	Seen    map[string][]seen  `json:"seen,omitempty"`    // by channel: how far its records are counted, the latest epoch last
	Windows map[string]*window `json:"windows,omitempty"` // by the limit's name
	More    map[string]string  `json:"more,omitempty"`    // by channel: the visit that left records of it for later
	Pending []*pending         `json:"pending,omitempty"` // what is to be mailed
}

// seen is the last record of an epoch that was counted or is mailed.
type seen struct {
	Epoch  int64 `json:"epoch"`
	Record int64 `json:"record"`
}

// pending is a record that is to be mailed, or a number of them that are not kept.
type pending struct {
	ID      string            `json:"id"` // which record it is, or from which one on
	More    int               `json:"more,omitempty"`
	Channel string            `json:"channel,omitempty"`
	Record  *report.Record    `json:"record,omitempty"` // as it is mailed: without what is not shown, and its texts cut
	Told    map[string]uint64 `json:"told,omitempty"`   // by receiver: the sweep that told it
}

func (l *hostLogs) empty() bool {
	return len(l.Seen) == 0 && len(l.Windows) == 0 && len(l.More) == 0 && len(l.Pending) == 0
}

// upTo returns the last record of an epoch that was counted; 0: none.
func (l *hostLogs) upTo(channel string, epoch int64) int64 {
	for _, s := range l.Seen[channel] {
		if s.Epoch == epoch {
			return s.Record
		}
	}
	return 0
}

// see notes that the records of an epoch are counted up to this one.
func (l *hostLogs) see(channel string, epoch, record int64) {
	left := slices.DeleteFunc(l.Seen[channel], func(s seen) bool { return s.Epoch == epoch })
	left = append(left, seen{epoch, record})
	if l.Seen == nil {
		l.Seen = make(map[string][]seen)
	}
	l.Seen[channel] = left[max(0, len(left)-epochsKept):]
}

// window returns that of a limit.
func (l *hostLogs) window(name string) *window {
	if l.Windows[name] == nil {
		if l.Windows == nil {
			l.Windows = make(map[string]*window)
		}
		l.Windows[name] = new(window)
	}
	return l.Windows[name]
}

// leave notes that a visit left records of a channel for later, or that none are left. It reports whether that is news.
func (l *hostLogs) leave(channel, visit string) bool {
	if l.More[channel] == visit {
		return false
	}
	if visit == "" {
		delete(l.More, channel)
		return true
	}
	if l.More == nil {
		l.More = make(map[string]string)
	}
	l.More[channel] = visit
	return true
}

// keep drops what belongs to limits and channels that the configuration no longer has. It reports whether that was anything.
func (l *hostLogs) keep(h *watched) bool {
	before := len(l.Windows) + len(l.Seen) + len(l.More)
	maps.DeleteFunc(l.Windows, func(name string, _ *window) bool {
		return !slices.ContainsFunc(h.events, func(r eventRule) bool { return r.name == name })
	})
	maps.DeleteFunc(l.Seen, func(channel string, _ []seen) bool { return !h.looksAt(channel) })
	maps.DeleteFunc(l.More, func(channel string, _ string) bool { return !h.looksAt(channel) })
	return before != len(l.Windows)+len(l.Seen)+len(l.More)
}

// push adds a record that is to be mailed. Where there are too many it is only counted: it joins those that were counted
// before and of which nobody was told yet.
func (l *hostLogs) push(p *pending, full bool) {
	if l.kept() < pendingHost && !full {
		l.Pending = append(l.Pending, p)
		return
	}
	if last := len(l.Pending) - 1; last >= 0 && l.Pending[last].More > 0 && len(l.Pending[last].Told) == 0 {
		l.Pending[last].More++
		return
	}
	l.Pending = append(l.Pending, &pending{ID: p.ID, More: 1})
}

// kept returns how many records wait to be mailed, without those that are only counted.
func (l *hostLogs) kept() int {
	kept := 0
	for _, p := range l.Pending {
		if p.More == 0 {
			kept++
		}
	}
	return kept
}

// settle drops the pending records that everybody knows who is to be told; what the sweep of this number has told stays as it
// is, for its letters. It reports whether it changed anything.
func (l *hostLogs) settle(receivers []string, number uint64) bool {
	before := len(l.Pending)
	l.Pending = slices.DeleteFunc(l.Pending, func(p *pending) bool {
		for _, to := range receivers {
			if _, told := p.Told[to]; !told {
				return false
			}
		}
		return !p.toldBy(number)
	})
	l.join(number)
	return len(l.Pending) != before
}

// join makes one of the numbers of records of which the same people were told, so that one receiver whose mails do not leave
// does not have their list grow.
func (l *hostLogs) join(number uint64) {
	joined := l.Pending[:0]
	for _, p := range l.Pending {
		into := slices.IndexFunc(joined, func(other *pending) bool {
			return p.More > 0 && other.More > 0 && !p.toldBy(number) && !other.toldBy(number) && sameKeys(p.Told, other.Told)
		})
		if into < 0 || len(p.Told) == 0 {
			joined = append(joined, p)
			continue
		}
		joined[into].More += p.More
	}
	clear(l.Pending[len(joined):])
	l.Pending = joined
}

func sameKeys(a, b map[string]uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for key := range a {
		if _, there := b[key]; !there {
			return false
		}
	}
	return true
}

// toldBy reports whether the sweep of this number has told anybody of the record.
func (p *pending) toldBy(number uint64) bool {
	for _, sweep := range p.Told {
		if sweep == number {
			return true
		}
	}
	return false
}
