package watch

import (
	"fmt"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/report"
)

// BenchmarkLogs evaluates entries of a thousand records of one host: one that has no limits on them, one that has one, and one
// all of whose records count.
func BenchmarkLogs(b *testing.B) {
	few := watchedHost()
	all := config.Host{Name: "h", EventLimits: []config.EventLimit{{Channel: "Security", Above: 100_000, For: time.Hour}}}
	for name, host := range map[string]config.Host{"nobody asks": {Name: "h"}, "a limit that few meet": few, "a limit that all meet": all} {
		b.Run(name, func(b *testing.B) {
			w := newWorld()
			x := w.process(nil).watch(b, []config.Host{host}, noon)
			l := &entry.Logs{Visit: "v", Host: "h", Sweep: noon, Read: noon, Channels: []report.Logs{{Channel: "Security", Epoch: 1}}}
			for i := range 1000 {
				r := report.Record{ID: int64(i + 1), Time: noon.Add(time.Duration(i) * 100 * time.Millisecond), Event: 4624, Source: "audit",
					Message: "An account was successfully logged on.", Raw: fmt.Sprintf("<Event>%0900d</Event>", i)}
				if i%100 == 0 {
					r.Event = 4625
				}
				l.Channels[0].Records = append(l.Channels[0].Records, r)
			}
			e := logsEntry(b, l)
			b.SetBytes(int64(len(e.Data)))
			b.ReportAllocs()
			number := uint64(0)
			for b.Loop() {
				number++
				x.state.logs("h").Seen = nil // so that all count
				x.logged(b.Context(), queue.Entry{Kind: e.Kind, Data: e.Data, Number: number})
			}
		})
	}
}
