package cursors_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"muster/internal/cursors"
	"muster/internal/report"
)

// database is what has been stored: each record once, and the cursor after it, as package store keeps them.
type database struct {
	content map[id]string
	ids     map[string]id
	cursor  report.Cursor // zero: there is none
}

func (d *database) store(t *testing.T, seed uint64, l *report.Logs) (again int) {
	for i := range l.Records {
		key, content := id{l.Epoch, l.Records[i].ID}, l.Records[i].Message
		if other, known := d.content[key]; known && other != content {
			t.Fatalf("seed %d: %v is %q, and was %q: one of them is lost", seed, key, content, other)
		}
		if other, known := d.ids[content]; known {
			if other != key {
				t.Fatalf("seed %d: %q is stored as %v and as %v", seed, content, other, key)
			}
			again++
		}
		d.content[key], d.ids[content] = content, key
	}
	if next := l.Next; next.Epoch > d.cursor.Epoch || next.Epoch == d.cursor.Epoch && next.Record >= d.cursor.Record {
		d.cursor = next
	}
	return again
}

// machine is a server whose queue is stored later, if it is not lost before with the table beside it.
type machine struct {
	*world
	seed     uint64
	queue    []report.Logs
	database database
	away     bool // the database is

	losses, reread, unasked int
}

// start starts a process, which takes up what it does not know as soon as the database is there.
func (m *machine) start() {
	m.table.fails = 0
	var err error
	if m.cursors, err = cursors.New(m.t.Context(), m.table, func() time.Time { return m.now }); err != nil {
		m.t.Fatal(err)
	}
}

// restart starts the process anew, with what is on its disk, or without.
func (m *machine) restart() {
	if m.dice.IntN(3) == 0 {
		m.table, m.queue = newTable(), nil
		m.losses++
	}
	m.start()
}

// killed kills the process now and then.
func (m *machine) killed() bool {
	if m.dice.IntN(8) > 0 {
		return false
	}
	m.restart()
	return true
}

// drain stores some of what waits.
func (m *machine) drain() {
	for !m.away && len(m.queue) > 0 && m.dice.IntN(3) > 0 {
		m.reread += m.database.store(m.t, m.seed, &m.queue[0])
		m.queue = m.queue[1:]
	}
}

// takeUp asks the database for what is unknown, if it is there.
func (m *machine) takeUp() {
	unknown := m.cursors.Unknown("h", []string{"file:/log"})
	if len(unknown) == 0 || m.away {
		return
	}
	copied := make(map[string]report.Cursor)
	if m.database.cursor.Epoch != 0 {
		copied["file:/log"] = m.database.cursor
	}
	if _, err := m.cursors.TakeUp("h", unknown, copied); err != nil {
		m.t.Fatal(err)
	}
}

// part is one part of a visit; it returns whether there is more.
func (m *machine) part() bool {
	m.takeUp()
	requests := requestsOf(m.cursors, "h", "file:/log")
	if len(requests) == 0 {
		m.unasked++
		return false
	}
	if m.dice.IntN(6) == 0 {
		m.table.fails, m.table.after = 1+m.dice.IntN(2), m.dice.IntN(2) == 0
	}
	table := m.table
	defer func() { table.fails = 0 }()
	answer := []report.Logs{m.log.read(&requests[0])}
	if m.killed() || m.cursors.Reserve(m.t.Context(), "h", answer) != nil || m.killed() {
		return false
	}
	if len(answer[0].Records) > 0 || answer[0].Begun != "" { // as the controller puts them
		m.queue = append(m.queue, answer[0])
	}
	m.drain()
	if m.killed() {
		return false
	}
	_ = m.cursors.Move(m.t.Context(), "h", answer)
	return !m.killed() && answer[0].More
}

// TestALostDirectoryLosesNoRecordAndRepeatsNone kills the server anywhere and loses its queue and its table now and then, while
// the database comes and goes: what is stored is stored under one id, and nothing is missing but what was cleared from the
// log before it was stored.
func TestALostDirectoryLosesNoRecordAndRepeatsNone(t *testing.T) {
	losses, reread, unasked, gone := 0, 0, 0, 0
	for seed := range uint64(500) {
		w := &world{t: t, dice: rand.New(rand.NewPCG(seed, 2)), log: newFakeLog(), table: newTable(), now: time.Unix(1000, 0)}
		m := &machine{world: w, seed: seed, database: database{content: make(map[id]string), ids: make(map[string]id)}}
		m.start()
		for range 120 {
			switch n := w.dice.IntN(24); {
			case n < 10:
				w.log.write()
			case n == 10:
				w.log.rotate()
			case n == 11 && seed%2 == 0:
				w.log.clear()
			case n < 14:
				m.away = !m.away
			default:
				for m.part() {
				}
			}
			m.drain()
			w.now = w.now.Add(time.Duration(w.dice.IntN(5)-1) * time.Second)
		}
		m.away = false
		for range 600 { // until all is read and stored
			m.part()
			m.drain()
		}
		for n := range w.log.written {
			content := fmt.Sprint("record ", n+1)
			if _, stored := m.database.ids[content]; !stored && !w.log.lost[content] {
				t.Fatalf("seed %d: %q is lost", seed, content)
			} else if !stored {
				gone++
			}
		}
		losses, reread, unasked = losses+m.losses, reread+m.reread, unasked+m.unasked
	}
	if losses == 0 || reread == 0 || unasked == 0 || gone == 0 {
		t.Errorf("%d losses, %d records read again, %d visits without logs, %d records cleared away: the test tests nothing", losses, reread, unasked, gone)
	}
	t.Logf("%d losses, %d records read again, %d visits without logs, %d records cleared away", losses, reread, unasked, gone)
}
