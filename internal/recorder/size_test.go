package recorder

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/report"
	"muster/internal/store"
)

// measured is a database that notes how many pieces of data it got at once.
type measured struct {
	*world
	most int
}

func (m *measured) SaveLogs(ctx context.Context, logs []store.Logs) error {
	fields := 0
	for i := range logs {
		for _, c := range logs[i].Channels {
			for j := range c.Records {
				fields += len(c.Records[j].Data)
			}
		}
	}
	m.most = max(m.most, fields)
	return m.world.SaveLogs(ctx, logs)
}

// A host sends log records of empty data: two bytes each in the queue, and sixteen times that in memory.
func TestWhatIsLargeInMemoryIsWrittenInSeveralBatches(t *testing.T) {
	const parts, perPart = 25, 900
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := report.Logs{Channel: "journal", Epoch: 1, Records: make([]report.Record, perPart)}
		size := 0
		for i := range parts {
			for j := range c.Records {
				c.Records[j] = report.Record{ID: int64(i*perPart + j + 1), Time: noon, Data: make([]report.Field, report.MaxFields)}
			}
			c.Next = report.Cursor{Epoch: 1, Record: int64((i + 1) * perPart)}
			data, err := entry.EncodeLogs(&entry.Logs{Visit: fmt.Sprint("p", i), Sweep: noon, Host: "web1", Read: noon, Channels: []report.Logs{c}})
			if err != nil {
				t.Fatal(err)
			}
			size += len(data)
			w.add(queue.Entry{Kind: entry.KindLogs, ID: fmt.Sprint("p", i), Data: data})
			w.visit(t, fmt.Sprint("v", i))
		}
		w.add(queue.Entry{Kind: entry.KindLogs, ID: "bad", Data: []byte{9}})
		m := &measured{world: w}
		r := w.process().recorder(nil)
		r.options.Open = func(context.Context) (Store, error) { return m, nil }
		stop := start(r)
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		if len(w.logs) != parts*perPart || len(w.stored()) != parts || len(w.buried()) != 1 || w.done != uint64(2*parts+1) {
			t.Errorf("%d records and %d visits are stored, %d buried, done up to %d", len(w.logs), len(w.stored()), len(w.buried()), w.done)
		}
		if most := batchSize + fieldSize*perPart*report.MaxFields; size < readBytes || m.most*fieldSize > most {
			t.Errorf("of %d bytes in the queue %d are in memory at once, want %d at most", size, m.most*fieldSize, most)
		}
		for record, n := range w.logs {
			if n != 1 {
				t.Fatalf("record %s is written %d times", record, n)
			}
		}
	})
}

// A process that is killed between two batches of what it read does all of that again.
func TestWhatWasReadIsDoneWhenAllOfItIsWritten(t *testing.T) {
	full := func(id string, first int64) queue.Entry {
		c := report.Logs{Channel: "journal", Epoch: 1, Records: make([]report.Record, 1)}
		c.Records[0] = report.Record{ID: first, Time: noon, Data: []report.Field{{Value: strings.Repeat("x", 200)}}}
		data, err := entry.EncodeLogs(&entry.Logs{Visit: id, Sweep: noon, Host: "web1", Read: noon, Channels: []report.Logs{c}})
		if err != nil {
			t.Fatal(err)
		}
		return queue.Entry{Kind: entry.KindLogs, ID: id, Data: data, Position: queue.Position{Sequence: uint64(first)}}
	}
	w := newWorld()
	entries := []queue.Entry{full("p1", 1), full("p2", 2)}
	if b := decode(entries, 100); b.entries != 1 || len(b.logs) != 1 {
		t.Fatalf("a batch is made of %d entries", b.entries)
	}
	r := w.process().recorder(nil)
	r.full = 100
	w.fate = func(step int) outage { // the second batch is never written
		if step == 2 {
			return killsBefore
		}
		return none
	}
	if !lives(func() { r.write(t.Context(), w, entries) }) {
		t.Fatal("nobody was killed")
	}
	if len(w.logs) != 1 || w.done != 0 {
		t.Errorf("%d records are stored, and the queue is done up to %d", len(w.logs), w.done)
	}
}

func TestSizesInMemory(t *testing.T) {
	for name, test := range map[string]struct {
		is   uintptr
		want int
	}{
		"a statistic": {reflect.TypeFor[report.Statistic]().Size(), statisticSize},
		"a record":    {reflect.TypeFor[report.Record]().Size(), recordSize},
		"one of data": {reflect.TypeFor[report.Field]().Size(), fieldSize},
	} {
		if int(test.is) > test.want || int(test.is) < test.want*9/10 {
			t.Errorf("%s takes %d bytes, not %d", name, test.is, test.want)
		}
	}
}
