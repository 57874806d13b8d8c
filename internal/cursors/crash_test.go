package cursors_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"muster/internal/cursors"
	"muster/internal/report"
)

// table is a durable table in memory. It may be told to fail, before or after it has written.
type table struct {
	content map[string][]byte
	fails   int // of which write, counted down; 0: none
	after   bool
	writes  int
}

var errDisk = errors.New("no space left on device")

func newTable() *table { return &table{content: make(map[string][]byte)} }

func (m *table) All(context.Context) (map[string][]byte, error) { return maps.Clone(m.content), nil }

func (m *table) Put(_ context.Context, key string, value []byte) error {
	return m.write(func() { m.content[key] = value })
}

func (m *table) Delete(_ context.Context, key string) error {
	return m.write(func() { delete(m.content, key) })
}

func (m *table) write(do func()) error {
	m.writes++
	m.fails--
	if m.fails == 0 {
		if m.after {
			do()
		}
		return errDisk
	}
	do()
	return nil
}

// file is one file of a rotated log, or what a log holds from one clearing to the next.
type file struct {
	identity string
	records  []string
}

// fakeLog is a log that is written to, rotated and cleared. It is read as the contract of a reader has it.
type fakeLog struct {
	files   []file // the oldest first; the last is written to
	written int
	made    int
	lost    map[string]bool // what was cleared away
}

func newFakeLog() *fakeLog {
	l := &fakeLog{lost: make(map[string]bool)}
	l.rotate()
	return l
}

func (l *fakeLog) write() {
	l.written++
	f := &l.files[len(l.files)-1]
	f.records = append(f.records, fmt.Sprint("record ", l.written))
}

func (l *fakeLog) rotate() {
	l.made++
	l.files = append(l.files, file{identity: fmt.Sprint("inode ", l.made)})
}

func (l *fakeLog) clear() {
	for _, f := range l.files {
		for _, r := range f.records {
			l.lost[r] = true
		}
	}
	l.files = nil
	l.rotate()
}

// read returns at most three records, of one epoch.
func (l *fakeLog) read(q *report.LogRequest) report.Logs {
	at := -1
	for i := range l.files {
		if l.files[i].identity == q.Cursor.Position {
			at = i
		}
	}
	answer := report.Logs{Channel: q.Channel, Epoch: q.Cursor.Epoch}
	next := q.Cursor.Record
	switch {
	case at >= 0 && (int(next) < len(l.files[at].records) || at == len(l.files)-1):
	default: // that file is read to its end, or is gone
		at, next = at+1, 0
		answer.Epoch, answer.Begun, answer.Why = q.Fresh, l.files[at].identity, "the log was rotated or cleared"
		if q.Begun.Identity == answer.Begun {
			answer.Epoch = q.Begun.Number
		}
	}
	f := &l.files[at]
	for len(answer.Records) < 3 && int(next) < len(f.records) {
		next++
		answer.Records = append(answer.Records, report.Record{ID: next, Message: f.records[next-1]})
	}
	answer.Next = report.Cursor{Epoch: answer.Epoch, Record: next, Position: f.identity}
	answer.More = int(next) < len(f.records) || at < len(l.files)-1
	return answer
}

// id is what a record is known by for ever.
type id struct{ epoch, record int64 }

// world is a log, a server with its table, and what the readers of the queue get.
type world struct {
	t       *testing.T
	dice    *rand.Rand
	log     *fakeLog
	table   *table
	cursors *cursors.Cursors
	now     time.Time
	content map[id]string
	ids     map[string]id
	twice   int // how often a record came again
}

func (w *world) restart() {
	w.table.fails = 0
	var err error
	if w.cursors, err = cursors.New(w.t.Context(), w.table, func() time.Time { return w.now }); err != nil {
		w.t.Fatal(err)
	}
	begin(w.t, w.cursors, "h", "file:/log")
}

// put takes an answer as the readers of the queue do.
func (w *world) put(l *report.Logs) {
	for i := range l.Records {
		key, content := id{l.Epoch, l.Records[i].ID}, l.Records[i].Message
		if other, known := w.content[key]; known && other != content {
			w.t.Fatalf("%v is %q, and was %q: one of them is lost", key, content, other)
		}
		if other, known := w.ids[content]; known {
			if other != key {
				w.t.Fatalf("%q comes as %v, and came as %v", content, key, other)
			}
			w.twice++
		}
		w.content[key], w.ids[content] = content, key
	}
}

// part is one part of a visit, with a server that may be killed at each step, and a table that may fail. It returns
// whether there is more.
func (w *world) part(wanted []report.LogRequest) bool {
	killed := func() bool {
		if w.dice.IntN(6) > 0 {
			return false
		}
		w.restart()
		return true
	}
	if w.dice.IntN(4) == 0 {
		w.table.fails, w.table.after = 1+w.dice.IntN(2), w.dice.IntN(2) == 0
	}
	defer func() { w.table.fails = 0 }()
	request := w.cursors.Requests("h", wanted)[0]
	if request.Fresh <= request.Cursor.Epoch {
		w.t.Fatalf("request: %+v", request)
	}
	answer := []report.Logs{w.log.read(&request)}
	if killed() || w.cursors.Reserve(w.t.Context(), "h", answer) != nil || killed() {
		return false
	}
	if w.dice.IntN(8) == 0 {
		return false // the queue is full
	}
	w.put(&answer[0])
	if killed() {
		return false
	}
	_ = w.cursors.Move(w.t.Context(), "h", answer)
	return !killed() && answer[0].More
}

// TestEachRecordComesUnderOneIDWhateverHappens writes, rotates and clears a log, and kills the server at every step between
// an answer and its end, with a clock that may go back.
func TestEachRecordComesUnderOneIDWhateverHappens(t *testing.T) {
	twice, lost := 0, 0
	for seed := range uint64(500) {
		w := &world{
			t: t, dice: rand.New(rand.NewPCG(seed, 1)), log: newFakeLog(), table: newTable(), now: time.Unix(1000, 0),
			content: make(map[id]string), ids: make(map[string]id),
		}
		w.restart()
		wanted := []report.LogRequest{{Channel: "file:/log"}}
		for range 80 {
			switch n := w.dice.IntN(20); {
			case n < 10:
				w.log.write()
			case n == 10:
				w.log.rotate()
			case n == 11 && seed%2 == 0:
				w.log.clear()
			default:
				for w.part(wanted) {
				}
			}
			w.now = w.now.Add(time.Duration(w.dice.IntN(5)-1) * time.Second)
		}
		for range 400 { // until all is read
			w.part(wanted)
		}
		for n := range w.log.written {
			content := fmt.Sprint("record ", n+1)
			if _, came := w.ids[content]; !came && !w.log.lost[content] {
				t.Fatalf("seed %d: %q is lost", seed, content)
			} else if !came {
				lost++
			}
		}
		twice += w.twice
	}
	if twice == 0 || lost == 0 {
		t.Errorf("%d records came again and %d were cleared away: the test tests nothing", twice, lost)
	}
}
