package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/mail"
	"muster/internal/outbox"
	"muster/internal/queue"
	"muster/internal/store"
)

// world is what outlives a process: a queue, a table, an outbox with its mail server, and a database.
type world struct {
	groups  [][]queue.Entry
	entries uint64 // in all groups
	done    queue.Position
	table   map[string][]byte
	letters map[string]*posted        // by receiver and sweep
	told    map[string]map[string]int // by receiver: how often each notice was mailed
	rows    map[string]store.Alert

	// waits says whether a letter still waits that was made at one time, at another.
	waits func(to string, made, now time.Time) bool
}

// posted is a letter in the outbox.
type posted struct {
	to   string
	news string // what makes its Message-ID, with the receiver and the sweep
	made time.Time
	sent bool
}

func newWorld() *world {
	return &world{
		table: make(map[string][]byte), letters: make(map[string]*posted), told: make(map[string]map[string]int),
		rows:  make(map[string]store.Alert),
		waits: func(string, time.Time, time.Time) bool { return false },
	}
}

// add appends a group of entries.
func (w *world) add(group ...queue.Entry) {
	first := w.entries
	w.entries += uint64(len(group))
	at := queue.Position{Sequence: uint64(len(w.groups) + 1), Entries: w.entries}
	for i := range group {
		group[i].Position, group[i].Number = at, first+uint64(i)+1
	}
	w.groups = append(w.groups, group)
}

// errDisk is what a table says that fails.
var errDisk = errors.New("no space left on device")

// killed is what a process that is killed panics with.
type killed struct{}

// process is a process in a world. Whatever it does there may be the last thing it does.
type process struct {
	*world
	next uint64 // the group that is read next, counted from 1

	steps int                   // that changed the world, or tried to
	fate  func(step int) outage // what happens at each; nil: nothing
}

// outage is what happens to a step.
type outage int

const (
	none        outage = iota
	killsBefore        // the process is killed before it is done …
	killsAfter         // … or after
	failsBefore        // it is not done, and the error says so …
	failsAfter         // … or it is, and the error says that it is not
)

func (w *world) process(fate func(step int) outage) *process {
	return &process{world: w, next: w.done.Sequence + 1, fate: fate}
}

// step does something to the world.
func (p *process) step(do func()) error {
	p.steps++
	o := none
	if p.fate != nil {
		o = p.fate(p.steps)
	}
	switch o {
	case killsBefore:
		panic(killed{})
	case failsBefore:
		return errDisk
	}
	do()
	switch o {
	case killsAfter:
		panic(killed{})
	case failsAfter:
		return errDisk
	}
	return nil
}

// lives runs a process and reports whether it was killed.
func lives(run func()) (dead bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, dead = r.(killed); !dead {
				panic(r)
			}
		}
	}()
	run()
	return false
}

// read returns so many groups, or those that there are.
func (p *process) read(groups int) []queue.Entry {
	var entries []queue.Entry
	for ; groups > 0 && p.next <= uint64(len(p.groups)); groups-- {
		entries = append(entries, p.groups[p.next-1]...)
		p.next++
	}
	return entries
}

func (p *process) Next(ctx context.Context, _ int) ([]queue.Entry, error) {
	if entries := p.read(1); len(entries) > 0 {
		return entries, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (p *process) Wait(context.Context) error { return nil }

func (p *process) Done(_ context.Context, at queue.Position) error {
	return p.step(func() { p.done = at })
}

func (p *process) All(context.Context) (map[string][]byte, error) { return maps.Clone(p.table), nil }

func (p *process) Put(_ context.Context, key string, value []byte) error {
	return p.step(func() { p.table[key] = slices.Clone(value) })
}

func (p *process) Delete(_ context.Context, key string) error {
	return p.step(func() { delete(p.table, key) })
}

func (p *process) SaveAlerts(_ context.Context, alerts []store.Alert) error {
	return p.step(func() {
		for _, a := range alerts {
			p.rows[a.ID] = a
		}
	})
}

// Post does what outbox.Outbox.Post does; TestTheOutboxOfTheseTestsIsLikeTheRealOne compares them.
func (p *process) Post(_ context.Context, d mail.Digest) (outcome outbox.Outcome, err error) {
	err = p.step(func() { outcome = p.post(d) })
	if err != nil {
		return 0, err
	}
	return outcome, nil
}

// leave lets the letters leave that no longer wait.
func (w *world) leave(now time.Time) {
	for _, key := range slices.Sorted(maps.Keys(w.letters)) {
		l := w.letters[key]
		l.sent = l.sent || !w.waits(l.to, l.made, now)
	}
}

func (w *world) post(d mail.Digest) outbox.Outcome {
	w.leave(d.Now)
	key := fmt.Sprint(d.To, " ", d.Sweep.UnixMilli())
	var notices []string
	for _, item := range slices.Concat(d.Raised, d.Ended) {
		notices = append(notices, item.Notice)
	}
	for _, r := range d.Records {
		notices = append(notices, r.Notice)
	}
	news := strings.Join(notices, " ")
	if l := w.letters[key]; l != nil && l.news == news {
		return outbox.Known
	}
	for _, l := range w.letters {
		if l.to == d.To && !l.sent {
			return outbox.Deferred
		}
	}
	w.letters[key] = &posted{to: d.To, news: news, made: d.Now}
	if w.told[d.To] == nil {
		w.told[d.To] = make(map[string]int)
	}
	for _, n := range notices {
		w.told[d.To][n]++
	}
	return outbox.Accepted
}

// watch makes the watch of a process.
func (p *process) watch(t testing.TB, hosts []config.Host, now time.Time) *Watch {
	t.Helper()
	w, err := New(t.Context(), Options{
		Settings: Settings{Hosts: hosts, Others: []string{"all@example.org"}, Letters: p}, Reader: p, Table: p,
		Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// projectAll writes to the database what it lacks, unless that fails.
func projectAll(w *Watch, p Projection) {
	for {
		more, err := w.project(context.Background(), p)
		if err != nil || !more {
			return
		}
	}
}

func visitEntry(t testing.TB, v *entry.Visit) queue.Entry {
	t.Helper()
	data, err := entry.EncodeVisit(v)
	if err != nil {
		t.Fatal(err)
	}
	return queue.Entry{Kind: entry.KindVisit, ID: v.ID, Data: data}
}

func logsEntry(t testing.TB, l *entry.Logs) queue.Entry {
	t.Helper()
	data, err := entry.EncodeLogs(l)
	if err != nil {
		t.Fatal(err)
	}
	return queue.Entry{Kind: entry.KindLogs, ID: fmt.Sprint(l.Visit, "/", l.Part), Data: data}
}

func sweepEntry(t testing.TB, s *entry.Sweep) queue.Entry {
	t.Helper()
	data, err := entry.EncodeSweep(s)
	if err != nil {
		t.Fatal(err)
	}
	return queue.Entry{Kind: entry.KindSweep, ID: s.Time.String(), Data: data}
}

// chance is true so often.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }
