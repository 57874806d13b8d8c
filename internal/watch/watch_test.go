package watch

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/internal/alert"
	"muster/internal/entry"
	"muster/internal/report"
	"muster/internal/store"
)

func TestOneMailAReceiverASweep(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.mustSweep(map[string]float64{"web1": 90, "web2": 95, "db1": 10})
		m := b.want(webMail)[0]
		mentions(t, m, "web1", "web2")
		if strings.Contains(m.Text, "db1") {
			t.Errorf("the mail is about db1, too:\n%s", m.Text)
		}
		b.mustSweep(map[string]float64{"web1": 91, "web2": 96, "db1": 10})
		b.want()
		b.mustSweep(map[string]float64{"web1": 50, "web2": 96, "db1": 10})
		mentions(t, b.want(webMail)[0], "web1")
		if c := b.watch.Counts(b.now); c != (Counts{Ended: 1, Firing: 1}) {
			t.Errorf("counts: %+v, want one that is over, and that of web2", c)
		}
		if firing, pending := b.watch.Open(); firing != 1 || pending != 0 {
			t.Errorf("open: %d, %d", firing, pending)
		}
	})
}

func TestHostThatCantBeVisitedIsMailed(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.mustSweep(map[string]float64{"db1": -1})
		for _, m := range b.want(dbMail, webMail) {
			mentions(t, m, "db1", "connection refused", "start sshd")
		}
		if c := b.watch.Counts(b.now); c != (Counts{Raised: 1, Firing: 1}) {
			t.Errorf("counts: %+v", c)
		}
		b.mustSweep(map[string]float64{"db1": 10})
		b.want(dbMail, webMail)
	})
}

func TestAlertsSurviveRestarts(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.mustSweep(map[string]float64{"web1": 90, "db1": 90})
		b.want(webMail) // db1's is pending
		if firing, pending := b.watch.Open(); firing != 1 || pending != 1 {
			t.Errorf("open: %d, %d", firing, pending)
		}
		b.restart()
		b.mustSweep(map[string]float64{"web1": 90, "db1": 90})
		b.want()
		b.restart()
		b.mustSweep(map[string]float64{"web1": 90, "db1": 90}) // since two minutes
		b.want(dbMail, webMail)
		b.restart()
		b.mustSweep(map[string]float64{"web1": 10, "db1": 10})
		b.want(dbMail, webMail)
		b.restart()
		b.project()
		b.mustSweep(nil)
		b.restart()
		b.nothingLeft()
	})
}

// project writes to the database what a new process has not yet.
func (b *bench) project() { projectAll(b.watch, b.process) }

func TestMailServerAwayDelaysMails(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart=", restart), func(t *testing.T) {
			onBench(t, func(t *testing.T, b *bench) {
				b.server.set(func(m *mailServer) { m.away = errors.New("connection refused") })
				if err := b.sweep(map[string]float64{"web1": 90, "web2": 10}); err == nil || !strings.Contains(err.Error(), webMail) {
					t.Errorf("Flush = %v, want whose mail is not sent", err)
				}
				for range 5 { // web1's is over and web2's begins, and neither is told yet
					if err := b.sweep(map[string]float64{"web1": 50, "web2": 90}); err == nil {
						t.Error("nothing waits")
					}
				}
				if !strings.Contains(b.log.String(), "mail is put off") {
					t.Errorf("the log does not say that news is put off:\n%s", b.log.String())
				}
				if restart {
					b.restart()
				}
				b.server.set(func(m *mailServer) { m.away = nil })
				b.mustSweep(map[string]float64{"web1": 50, "web2": 90}) // the first letter is on its way, the second put off
				b.mustSweep(map[string]float64{"web1": 50, "web2": 90})
				sent := b.want(webMail, webMail)
				mentions(t, sent[0], "web1")
				mentions(t, sent[1], "web1", "web2")
				b.mustSweep(map[string]float64{"web1": 50, "web2": 90})
				b.want()
			})
		})
	}
}

func TestRefusedReceiverKeepsNobodyBack(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.server.set(func(m *mailServer) { m.refuse = dbMail })
		if err := b.sweep(map[string]float64{"db1": -1}); err == nil || !strings.Contains(err.Error(), "no such user") {
			t.Errorf("Flush = %v, want the refusal", err)
		}
		b.want(webMail)
		b.mustSweep(map[string]float64{"db1": -1})
		b.want() // neither again to the one nor to the other
	})
}

func TestNobodyIsToldAgainBecauseAnotherIsNot(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.server.set(func(m *mailServer) { m.later = dbMail })
		for i := range 3 {
			if err := b.sweep(map[string]float64{"db1": -1}); err == nil {
				t.Errorf("sweep %d: all is sent", i)
			}
			if i == 0 {
				b.want(webMail)
			} else {
				b.want()
			}
		}
		b.server.set(func(m *mailServer) { m.later = "" })
		b.mustSweep(map[string]float64{"db1": -1})
		b.want(dbMail)
		b.mustSweep(map[string]float64{"db1": 10})
		b.want(dbMail, webMail)
		b.mustSweep(nil)
		b.nothingLeft()
	})
}

func TestHostTakenOutOfTheConfigurationIsOver(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.mustSweep(map[string]float64{"web1": 90})
		b.want(webMail)
		b.hosts = b.hosts[1:]
		b.restart()
		b.mustSweep(map[string]float64{"web1": 95, "web2": 10}) // one visit of it still waited
		mentions(t, b.want(allMail)[0], "web1", alert.HostRemoved)
		b.restart()
		b.mustSweep(map[string]float64{"web2": 10})
		b.want()
		b.project()
		b.mustSweep(nil)
		b.nothingLeft()
	})
}

func TestWithoutMailServerAlertsAreStored(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.stop()
		b.muted = true
		b.restart()
		b.mustSweep(map[string]float64{"web1": 90})
		b.mustSweep(map[string]float64{"web1": 90})
		for _, a := range b.world.rows {
			if a.State != "firing" || a.Notified != "" {
				t.Errorf("stored: %s, told %q, want firing, told of nothing", a.State, a.Notified)
			}
		}
		if len(b.world.rows) != 1 {
			t.Errorf("%d rows, want one", len(b.world.rows))
		}
		// A mail server that is configured later hears of what goes on.
		b.muted = false
		b.restart()
		b.mustSweep(map[string]float64{"web1": 90})
		b.want(webMail)
		// What ends without a mail server is over and done with.
		b.stop()
		b.muted = true
		b.start()
		b.mustSweep(map[string]float64{"web1": 10})
		b.muted = false
		b.restart()
		b.mustSweep(map[string]float64{"web1": 10})
		b.want()
	})
}

func TestVisitsThatSayNothingChangeNothing(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.mustSweep(map[string]float64{"web1": 90})
		b.want(webMail)
		before := fmt.Sprint(b.world.rows)
		v := &entry.Visit{
			ID: "v", Host: "web1", Sweep: b.now, Started: b.now.Add(time.Second), Skipped: true,
			Stage: "dial", Kind: "busy", Error: "the visit before still runs",
		}
		damaged := visitEntry(t, v)
		damaged.Data = damaged.Data[:5]
		unknown := visitEntry(t, v)
		unknown.Kind = "of a later version"
		old := visitEntry(t, &entry.Visit{ID: "o", Host: "web2", Sweep: noon, Started: noon, Stage: "dial", Error: "refused"})
		old.Kind = entry.ToStore(old.Kind) // was a dead letter, and is put back
		late := sweepEntry(t, &entry.Sweep{Time: noon, Ended: noon, Conditions: []entry.Condition{{Name: DeadLetters, Unit: "1", Value: 1}}})
		late.Kind = entry.ToStore(late.Kind)
		b.world.add(visitEntry(t, v), damaged, unknown, old, late)
		b.work()
		b.mustSweep(nil)
		b.want()
		if after := fmt.Sprint(b.world.rows); after != before {
			t.Errorf("the alerts were\n%s\nand are\n%s", before, after)
		}
	})
}

func TestAnEndOfASweepThatCantBeReadDelaysItsNews(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.world.add(visitEntry(t, &entry.Visit{ID: "v", Host: "web1", Sweep: b.now, Started: b.now, Stage: "dial", Error: "refused"}))
		damaged := sweepEntry(t, &entry.Sweep{Time: b.now, Ended: b.now})
		damaged.Data = damaged.Data[:10]
		b.world.add(damaged)
		b.work()
		b.want()
		b.mustSweep(nil)
		b.want(webMail)
	})
}

func TestConditionsOfTheServerAreMailedOnceAndWhenTheyAreOver(t *testing.T) {
	for _, c := range []entry.Condition{
		{Name: DatabaseAway, Unit: "s", Value: 61, Text: "connection refused; reports wait in the queue"},
		{Name: QueueUsage, Unit: "%", Value: 81},
		{Name: ReportsRefused, Unit: "1", Value: 1, Text: "reports of this sweep are lost"},
		{Name: DeadLetters, Unit: "1", Value: 1, Text: "see muster status"},
	} {
		t.Run(c.Name, func(t *testing.T) {
			onBench(t, func(t *testing.T, b *bench) {
				calm := c
				calm.Value, calm.Text = 0, ""
				b.mustSweep(nil, calm)
				b.want()
				b.mustSweep(nil, c)
				mentions(t, b.want(allMail)[0], Server, c.Name, c.Text)
				b.restart()
				worse := c
				worse.Value++
				b.mustSweep(nil, worse)
				b.want()
				b.mustSweep(nil, calm)
				mentions(t, b.want(allMail)[0], c.Name, "over")
				b.mustSweep(nil, calm)
				b.want()
				b.nothingLeft()
			})
		})
	}
}

func TestConditionsWithinTheirLimitsAreNoNews(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.mustSweep(nil, entry.Condition{Name: DatabaseAway, Unit: "s", Value: 60}, entry.Condition{Name: QueueUsage, Unit: "%", Value: 80})
		b.want()
	})
}

func TestAlertsOfTheDatabaseFollow(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.mustSweep(map[string]float64{"web1": 90, "db1": 90})
		got := make(map[string]store.Alert)
		for _, a := range b.world.rows {
			got[a.Host] = a
		}
		web, db := got["web1"], got["db1"]
		if web.State != "firing" || web.Notified != "firing" || web.Value != 90 || web.Limit != "above 80 %" ||
			web.Statistic != "memory.usage" || web.Unit != "%" || web.Direction != "above" || !web.Since.Equal(b.now) || !web.Raised.Equal(b.now) {
			t.Errorf("stored: %+v", web)
		}
		if db.State != "pending" || db.Notified != "" || !db.Raised.IsZero() {
			t.Errorf("stored: %+v", db)
		}
		b.mustSweep(map[string]float64{"web1": 91, "db1": 10})
		if a := b.world.rows[web.ID]; a.Value != 91 || a.Notified != "firing" {
			t.Errorf("stored: %+v", a)
		}
		if a := b.world.rows[db.ID]; a.State != "resolved" || a.Notified != "" || !a.Ended.Equal(b.now) {
			t.Errorf("stored: %+v", a)
		}
		b.mustSweep(map[string]float64{"web1": 10})
		if a := b.world.rows[web.ID]; a.State != "resolved" || a.Notified != "resolved" {
			t.Errorf("stored: %+v", a)
		}
	})
}

// A new receiver hears of what goes on, and not of what was over before, though the database does not know that yet.
func TestReceiversWhoComeLater(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.mustSweep(map[string]float64{"web1": 90, "web2": 90})
		b.want(webMail)
		b.mustSweep(map[string]float64{"web1": 90, "web2": 10})
		b.want(webMail)
		b.world.add(sweepEntry(t, &entry.Sweep{Time: b.now.Add(time.Second), Ended: b.now.Add(time.Second)}))
		for _, alerts := range b.watch.state.hosts() {
			for _, e := range alerts {
				e.projected = false
			}
		}
		if !b.watch.work(t.Context(), b.process.read(1)) {
			t.Fatal("work is given up")
		}
		b.hosts[0].Mail = []string{webMail, allMail}
		b.hosts[1].Mail = []string{webMail, allMail}
		b.restart()
		b.mustSweep(nil)
		m := b.want(allMail)[0]
		mentions(t, m, "web1")
		if strings.Contains(m.Text, "web2") {
			t.Errorf("the mail tells of what was over:\n%s", m.Text)
		}
	})
}

func TestWhatASourceThatFailedDoesNotSayIsNotOver(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.mustSweep(map[string]float64{"web1": 90})
		b.want(webMail)
		for _, failures := range [][]report.Failure{{{Source: "memory", Reason: "did not answer"}}, nil} {
			b.now = b.now.Add(time.Minute)
			b.world.add(visitEntry(t, &entry.Visit{
				ID: "v", Host: "web1", Sweep: b.now, Started: b.now, Report: &report.Report{Host: "web1", Failures: failures},
			}))
			b.mustSweep(nil)
			if failures != nil {
				b.want()
			}
		}
		mentions(t, b.want(webMail)[0], alert.NoLongerReported)
	})
}
