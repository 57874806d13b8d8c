package watch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/store"
)

// rows is a database that can be away, refuse single alerts, and be slow.
type rows struct {
	mu     sync.Mutex
	away   error
	closed error  // it can't be opened
	refuse string // a host whose alerts it never takes
	during func() // called while it writes
	alerts map[string]store.Alert
	tries  int
}

func (r *rows) SaveAlerts(ctx context.Context, alerts []store.Alert) error {
	if r.during != nil {
		r.during()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	if r.away != nil {
		return r.away
	}
	for _, a := range alerts {
		if a.Host == r.refuse {
			return errors.New("value out of range")
		}
	}
	for _, a := range alerts {
		r.alerts[a.Host] = a
	}
	return ctx.Err()
}

func (r *rows) set(away error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

func (r *rows) state(host string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alerts[host].State
}

// running is a watch whose goroutines run until the test ends.
type running struct {
	*Watch
	world *world
	rows  *rows
}

// run runs Run and Project in a bubble, on what is in the world.
func run(t *testing.T, w *world, r *rows, test func(*testing.T, *running)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		failed := 0.0
		var hosts []config.Host
		for i := range 3 {
			hosts = append(hosts, config.Host{
				Name: fmt.Sprint("h", i), Mail: []string{"a@example.org"},
				Limits: []config.Limit{{Statistic: "visit.failed", Unit: "1", Above: &failed}},
			})
		}
		p := w.process(nil)
		x := &running{Watch: p.watch(t, hosts, noon), world: w, rows: r}
		r.alerts = make(map[string]store.Alert)
		ctx, cancel := context.WithCancel(context.Background())
		var working sync.WaitGroup
		working.Go(func() { x.Run(ctx) })
		working.Go(func() {
			x.Project(ctx, func(context.Context) (Projection, error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				return r, r.closed
			})
		})
		test(t, x)
		cancel()
		working.Wait()
	})
}

// trouble returns a world in which all hosts have failed.
func trouble(t *testing.T) *world {
	w := newWorld()
	for i := range 3 {
		w.add(visitEntry(t, &entry.Visit{
			ID: fmt.Sprint(i), Host: fmt.Sprint("h", i), Sweep: noon, Started: noon, Stage: "dial", Error: "refused",
		}))
	}
	w.add(sweepEntry(t, &entry.Sweep{Time: noon, Ended: noon}))
	return w
}

var errAway = fmt.Errorf("%w: connection refused", store.ErrUnavailable)

func TestProjectionFollows(t *testing.T) {
	run(t, trouble(t), new(rows), func(t *testing.T, x *running) {
		synctest.Wait()
		if err := x.Projected(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"h0", "h1", "h2"} {
			if got := x.rows.state(host); got != "firing" {
				t.Errorf("%s is %q in the database, want firing", host, got)
			}
		}
		if x.world.told["a@example.org"] == nil {
			t.Error("nobody was told")
		}
	})
}

func TestMailsDoNotWaitForTheDatabase(t *testing.T) {
	silent := &rows{away: errAway, during: func() { <-time.After(time.Hour) }}
	run(t, trouble(t), silent, func(t *testing.T, x *running) {
		synctest.Wait()
		if n := len(x.world.told["a@example.org"]); n != 3 {
			t.Errorf("told of %d alerts while the database is silent, want 3", n)
		}
		if x.world.done.Sequence != uint64(len(x.world.groups)) {
			t.Error("the queue waits for the database")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := x.Projected(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Projected = %v, want that its time is over", err)
		}
	})
}

func TestProjectionWaitsForTheDatabase(t *testing.T) {
	run(t, trouble(t), &rows{away: errAway}, func(t *testing.T, x *running) {
		synctest.Wait()
		if err := x.Projected(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("Projected = %v, want why it is not", err)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if x.rows.tries > 200 {
			t.Errorf("the database was tried %d times in an hour", x.rows.tries)
		}
		x.rows.set(nil)
		<-time.After(retryMost + time.Second)
		synctest.Wait()
		if got := x.rows.state("h2"); got != "firing" {
			t.Errorf("h2 is %q in the database, want firing", got)
		}
		if err := x.Projected(t.Context()); err != nil {
			t.Errorf("Projected = %v", err)
		}
	})
}

func TestProjectedIsTriedAtOnce(t *testing.T) {
	x := &rows{away: errAway}
	run(t, trouble(t), x, func(t *testing.T, x *running) {
		<-time.After(10 * time.Minute)
		x.rows.set(nil)
		before := time.Now()
		if err := x.Projected(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(before); waited != 0 {
			t.Errorf("waited for %v", waited)
		}
	})
}

func TestProjectionWithoutADatabaseAtTheStart(t *testing.T) {
	run(t, trouble(t), &rows{closed: errAway}, func(t *testing.T, x *running) {
		synctest.Wait()
		if err := x.Projected(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Projected = %v, want why it is not", err)
		}
		x.rows.mu.Lock()
		x.rows.closed = nil
		x.rows.mu.Unlock()
		if err := x.Projected(t.Context()); err != nil {
			t.Errorf("Projected = %v", err)
		}
	})
}

func TestAnAlertThatTheDatabaseRefusesKeepsNoneBack(t *testing.T) {
	run(t, trouble(t), &rows{refuse: "h1"}, func(t *testing.T, x *running) {
		synctest.Wait()
		if err := x.Projected(t.Context()); err != nil {
			t.Errorf("Projected = %v", err)
		}
		if x.rows.state("h0") != "firing" || x.rows.state("h2") != "firing" || x.rows.state("h1") != "" {
			t.Errorf("in the database: %+v", x.rows.alerts)
		}
	})
}

func TestADatabaseThatRefusesAllIsAway(t *testing.T) {
	run(t, trouble(t), &rows{away: errors.New("no such table: alerts")}, func(t *testing.T, x *running) {
		synctest.Wait()
		if err := x.Projected(t.Context()); err == nil {
			t.Error("Projected says that all is there")
		}
		x.rows.set(nil)
		if err := x.Projected(t.Context()); err != nil {
			t.Errorf("Projected = %v", err)
		}
		if len(x.rows.alerts) != 3 {
			t.Errorf("in the database: %+v", x.rows.alerts)
		}
	})
}

// What changes while it is written is written again.
func TestAnAlertThatEndsWhileItIsWritten(t *testing.T) {
	w := trouble(t)
	r := new(rows)
	var once sync.Once
	var x *Watch
	r.during = func() {
		once.Do(func() {
			x.mu.Lock()
			defer x.mu.Unlock()
			alerts := x.state.shards[shardOf("h0")].hosts["h0"].open()
			if len(alerts) == 0 {
				t.Error("h0 has no alert yet")
				return
			}
			alerts[0].Phase, alerts[0].Ended = "resolved", noon.Add(time.Minute)
			x.state.replace("h0", alerts)
			x.nudge()
		})
	}
	synctest.Test(t, func(t *testing.T) {
		failed := 0.0
		p := w.process(nil)
		x = p.watch(t, []config.Host{{Name: "h0", Limits: []config.Limit{{Statistic: "visit.failed", Unit: "1", Above: &failed}}}}, noon)
		r.alerts = make(map[string]store.Alert)
		if !x.work(t.Context(), p.read(4)) {
			t.Fatal("work is given up")
		}
		projectAll(x, r)
		if got := r.state("h0"); got != "resolved" {
			t.Errorf("h0 is %q in the database, want resolved", got)
		}
	})
}

// No goroutine is left, even if the database opens, writes and the table fails at the end: the bubble would not end.
func TestRunEndsWhileTheTableFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := trouble(t)
		p := w.process(func(int) outage { return failsBefore })
		x := p.watch(t, nil, noon)
		ctx, cancel := context.WithCancel(context.Background())
		var working sync.WaitGroup
		working.Go(func() { x.Run(ctx) })
		<-time.After(time.Hour)
		cancel()
		working.Wait()
		if p.steps < 100 || p.steps > 200 {
			t.Errorf("%d attempts in an hour, want one in %v", p.steps, retryMost)
		}
	})
}
