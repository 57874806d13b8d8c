package watch

import (
	"muster/internal/config"
	"muster/internal/events"
	"muster/internal/report"
)

// selection is which records of a host are counted or mailed.
type selection struct {
	channel string // its config.ChannelKey
	filter  report.Filter
	logon   string // logons of this outcome alone; empty: whatever the records are about
}

func selectionOf(r *config.Records) selection {
	return selection{config.ChannelKey(r.Channel), r.Filter, r.Logon}
}

// selects reports whether a record is one of these.
func (s *selection) selects(c *candidate) bool {
	return s.channel == c.channel && s.filter.Match(c.Record) && (s.logon == "" || c.logon().Is(s.logon))
}

// candidate is a record that selections are asked about. What it says of a logon costs more than all else that they look at:
// it is found out for the first that has to know, and kept for the others.
type candidate struct {
	*report.Record
	channel string // its config.ChannelKey
	read    bool
	said    events.Logon // once it is read
}

func (c *candidate) logon() events.Logon {
	if !c.read {
		c.said, _ = events.LogonOf(c.channel, c.Record) // empty where it is about something else
		c.read = true
	}
	return c.said
}
