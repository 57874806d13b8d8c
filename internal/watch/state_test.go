package watch

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/alert"
	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/mail"
	"muster/internal/outbox"
	"muster/internal/report"
)

func TestStateComesBackAsItWas(t *testing.T) {
	want := known{
		{
			Alert: alert.Alert{
				ID: "a1", Host: "h", Statistic: "disk.usage", Instance: "/\n\u202e", Direction: alert.Above, Unit: "%",
				Limit: "above 90 %", Phase: alert.Resolved, Since: noon, Raised: noon.Add(time.Microsecond), Ended: noon.Add(time.Hour),
				Value: 0.1, Text: "why", Updated: noon,
			},
			Told: map[string]telling{"a@example.org": {alert.Resolved, 1 << 60}},
			Over: true,
		},
		{Alert: alert.Alert{ID: "a2", Host: "h", Phase: alert.Pending}},
	}
	w := newWorld()
	p := w.process(nil)
	x := p.watch(t, []config.Host{{Name: "h"}}, noon)
	sh := &x.state.shards[shardOf("h")]
	sh.put("h", want)
	sh.changes++
	x.state.posted = 7
	if err := x.write(t.Context(), 9); err != nil {
		t.Fatal(err)
	}
	if p.steps != 1 {
		t.Errorf("%d shards are written, want the one that changed", p.steps)
	}
	got, err := readState(w.table)
	if err != nil {
		t.Fatal(err)
	}
	if !got.has("h", 9) || got.has("h", 10) {
		t.Error("entries up to 9 are evaluated, and no others")
	}
	if read := got.shards[shardOf("h")]; !reflect.DeepEqual(read.hosts["h"], want) || read.number != 9 {
		t.Errorf("read\n%+v of entry %d, want\n%+v", read.hosts["h"][0], read.number, want[0])
	}
	if err := x.write(t.Context(), 10); err != nil || p.steps != 1 {
		t.Errorf("what has not changed is written again: %d, %v", p.steps, err)
	}
}

// The table is read by later programs.
func TestTheFormOfTheStateIsKept(t *testing.T) {
	table := map[string][]byte{
		"posted": []byte("12"),
		"shard.5": []byte(`{"number":10,"hosts":{"h":[{"alert":{"ID":"a1","Host":"h","Statistic":"s","Instance":"","Direction":"above",` +
			`"Unit":"%","Limit":"above 1 %","Phase":"firing","Since":"2026-03-01T12:00:00Z","Raised":"2026-03-01T12:00:00Z",` +
			`"Ended":"0001-01-01T00:00:00Z","Value":2,"Text":"","Updated":"2026-03-01T12:00:00Z"},` +
			`"told":{"a@example.org":{"phase":"firing","sweep":9}},"over":true}]}}`),
	}
	s, err := readState(table)
	if err != nil {
		t.Fatal(err)
	}
	sh := s.shards[5]
	want := &entryOf{
		Alert: alert.Alert{
			ID: "a1", Host: "h", Statistic: "s", Direction: alert.Above, Unit: "%", Limit: "above 1 %", Phase: alert.Firing,
			Since: noon, Raised: noon, Value: 2, Updated: noon,
		},
		Told: map[string]telling{"a@example.org": {alert.Firing, 9}}, Over: true,
	}
	if s.posted != 12 || sh.number != 10 || !reflect.DeepEqual(sh.hosts, map[string]known{"h": {want}}) {
		t.Errorf("read posted %d, shard %d: %+v", s.posted, sh.number, sh.hosts["h"][0])
	}
	w := newWorld()
	w.table = table
	x := w.process(nil).watch(t, nil, noon)
	x.state.shards[5] = shard{number: 10, hosts: sh.hosts, changes: 1}
	if value, _, err := x.record(5, 3); err != nil || string(value) != string(table["shard.5"]) {
		t.Errorf("written\n%s, %v, want\n%s", value, err, table["shard.5"])
	}
}

func TestStateThatCantBeRead(t *testing.T) {
	for key, value := range map[string]string{
		"posted": "x", "shard.0": "{", "shard.64": "{}", "shard.-1": "{}", "shard.": "{}", "something": "{}",
	} {
		w := newWorld()
		w.table[key] = []byte(value)
		if _, err := New(t.Context(), Options{Table: w.process(nil)}); !errors.Is(err, errTable) {
			t.Errorf("%s = %s: %v", key, value, err)
		}
	}
}

func TestShardsAreEven(t *testing.T) {
	var n [shards]int
	for i := range 6400 {
		n[shardOf(fmt.Sprint("host", i))]++
	}
	if least := slices.Min(n[:]); least < 50 {
		t.Errorf("of 6400 hosts the smallest of %d shards has %d", shards, least)
	}
	if most := slices.Max(n[:]); most > 160 {
		t.Errorf("of 6400 hosts the largest of %d shards has %d", shards, most)
	}
}

func TestCountsOfManySweepsAreForgotten(t *testing.T) {
	w := newWorld()
	x := w.process(nil).watch(t, []config.Host{{Name: "h"}}, noon)
	for i := range 3 * countsKept {
		at := noon.Add(time.Duration(i) * time.Minute)
		x.evaluate(t.Context(), alert.Observation{Host: "h"}, &entry.Visit{Host: "h", Sweep: at, Started: at}, uint64(i+1))
	}
	if len(x.sweeps) != countsKept || len(x.order) != countsKept {
		t.Errorf("%d and %d sweeps are counted", len(x.sweeps), len(x.order))
	}
}

// The entries of an observation are evaluated once, whatever is read again.
func TestAnEntryIsEvaluatedOnce(t *testing.T) {
	w := newWorld()
	failed := 0.0
	p := w.process(nil)
	hosts := []config.Host{{Name: "h", Mail: []string{"a"}, Limits: []config.Limit{{Statistic: "visit.failed", Above: &failed}}}}
	w.add(visitEntry(t, &entry.Visit{ID: "1", Host: "h", Sweep: noon, Started: noon, Stage: "dial", Error: "refused"}))
	x := p.watch(t, hosts, noon)
	if !x.work(t.Context(), p.read(1)) {
		t.Fatal("work is given up")
	}
	again := slices.Clone(w.groups[0])
	if !x.work(t.Context(), again) {
		t.Fatal("work is given up")
	}
	if c := x.Counts(noon); c.Raised != 1 || c.Firing != 1 {
		t.Errorf("counts: %+v", c)
	}
}

// An alert that began while the clock was ahead has other times once it is put back: a process that is started then knows them.
func TestTimesThatAreSetBackAreKept(t *testing.T) {
	w := newWorld()
	bound := 0.0
	hosts := []config.Host{{Name: "h", Mail: []string{"a"}, Limits: []config.Limit{{Statistic: "visit.failed", Above: &bound}}}}
	visit := func(id string, at time.Time) {
		v := &entry.Visit{ID: id, Host: "h", Sweep: at, Started: at, Stage: "dial", Error: "refused"}
		if id == "well" {
			v.Stage, v.Error, v.Report = "", "", &report.Report{Time: at}
		}
		w.add(visitEntry(t, v))
		p := w.process(nil)
		x := p.watch(t, hosts, at)
		if !x.work(t.Context(), p.read(1)) {
			t.Fatal("work is given up")
		}
		projectAll(x, p)
	}
	visit("ahead", noon.Add(3*time.Hour))
	visit("right", noon)
	visit("well", noon.Add(time.Minute))
	if len(w.rows) != 1 {
		t.Fatalf("%d alerts, want one", len(w.rows))
	}
	for _, a := range w.rows {
		if !a.Since.Equal(noon) || !a.Raised.Equal(noon) || !a.Ended.Equal(noon.Add(time.Minute)) {
			t.Errorf("since %v, raised %v, ended %v", a.Since, a.Raised, a.Ended)
		}
	}
}

// TestTheOutboxOfTheseTestsIsLikeTheRealOne posts the same at random to both.
func TestTheOutboxOfTheseTestsIsLikeTheRealOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(50) {
			r := random(seed, 9)
			fake, server := newWorld(), new(mailServer)
			waits := true
			fake.waits = func(string, time.Time, time.Time) bool { return waits }
			genuine, err := outbox.New(t.Context(), outbox.Options{Table: &table{values: make(map[string][]byte)}, Sender: server})
			if err != nil {
				t.Fatal(err)
			}
			for range 30 {
				d := mail.Digest{
					To: []string{"a@example.org", "b@example.org"}[r.IntN(2)], Sweep: noon.Add(time.Duration(r.IntN(3)) * time.Minute), Now: noon,
					Raised: []mail.Item{{Notice: []string{"n1", "n2"}[r.IntN(2)], Host: "h", Statistic: "s", Since: noon}},
				}
				if chance(r, 0.3) {
					d.Records = []mail.Record{{Notice: []string{"r1", "r2"}[r.IntN(2)], Host: "h", Channel: "Security"}}
				}
				if chance(r, 0.2) {
					d.Raised, d.Records = nil, []mail.Record{{Notice: "r3", Host: "h", More: 7}}
				}
				want, err := genuine.Post(t.Context(), d)
				if err != nil {
					t.Fatal(err)
				}
				if got := fake.post(d); got != want {
					t.Fatalf("seed %d: the outbox of the tests says %v, the real one %v", seed, got, want)
				}
				waits = !chance(r, 0.3)
				if !waits {
					flush(t, genuine)
					fake.leave(noon)
					waits = true
				}
			}
		}
	})
}

// flush has an outbox send what waits.
func flush(t *testing.T, o *outbox.Outbox) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { o.Run(ctx) })
	if err := o.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	running.Wait()
}
