package watch

import (
	"fmt"
	"slices"
	"time"

	"muster/internal/entry"
	"muster/internal/report"
)

// records adds what a visit brings of the logs of a host: now and then what came before once more, alone or with what has
// come since, records that are old, and a log that begins anew.
func (d *drawn) records(host, visit string, sweep time.Time) {
	for part := range d.r.IntN(3) {
		l := &entry.Logs{Visit: visit, Part: part, Sweep: sweep, Host: host, Read: d.now}
		before := d.logs[host]
		if before == nil {
			before = &entry.Logs{Channels: []report.Logs{{Channel: "Security", Epoch: 1}, {Channel: "journal", Epoch: 77}}}
		}
		again := chance(d.r, 0.2)
		for _, channel := range before.Channels {
			next := report.Logs{Channel: channel.Channel, Epoch: channel.Epoch, More: chance(d.r, 0.2)}
			id := int64(0)
			if n := len(channel.Records); n > 0 {
				id = channel.Records[n-1].ID
			}
			switch {
			case again:
				next.Records = slices.Clone(channel.Records)
			case chance(d.r, 0.1):
				next.Epoch, id = channel.Epoch+1, 0
			}
			at := d.now.Add(-time.Duration(d.r.IntN(3)) * time.Minute)
			for range d.r.IntN(4) {
				id += 1 + int64(d.r.IntN(2))
				at = at.Add(time.Duration(d.r.IntN(20)) * time.Second)
				record := report.Record{ID: id, Time: at, Event: []int64{4625, 4625, 1102, 4624}[d.r.IntN(4)], Message: "m"}
				if channel.Channel == "journal" {
					record.Event, record.Source, record.Message = 0, "sshd", aroundIt[d.r.IntN(len(aroundIt))]
					if chance(d.r, 0.5) {
						record.Message = refused("root", "203.0.113.9")
					}
				}
				next.Records = append(next.Records, record)
				if notice := fmt.Sprintf("%s/security/%d/%d", host, next.Epoch, id); channel.Channel == "Security" && record.Event == 1102 {
					d.mails[host] = append(d.mails[host], notice)
				}
			}
			if len(next.Records) == 0 {
				next.Records = slices.Clone(channel.Records[max(0, len(channel.Records)-1):]) // so that the ids go on
				next.Epoch = channel.Epoch
			}
			l.Channels = append(l.Channels, next)
		}
		d.logs[host] = l
		d.add(logsEntry(d.t, l))
	}
}
