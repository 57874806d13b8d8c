package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/internal/controller"
	"muster/internal/failure"
	"muster/internal/health"
	"muster/internal/outbox"
)

func TestOverviewSaysNothingWhereAllIsWell(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var out strings.Builder
	printOverview(&out, nil, now)
	well := &controller.Overview{Running: new(health.Status), Undone: controller.Undone{Mail: new(outbox.State)}}
	// What came within the last minute is on its way.
	well.Facts.Queue.Consumers = []health.Consumer{{Name: "store", Waiting: 12, Oldest: now.Add(-time.Second)}}
	printOverview(&out, well, now)
	if out.Len() > 0 {
		t.Errorf("it says\n%s", out.String())
	}
}

func TestOverviewSaysWhatAPersonShouldKnow(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	o := &controller.Overview{
		Undone: controller.Undone{
			Dead: []controller.DeadLetter{{Kind: "visit", ID: "web1 0123", Reason: "a value\x1b[31m that nobody can store"}},
			Mail: &outbox.State{
				Waiting: 2, Oldest: now.Add(-time.Hour), Error: "connection refused", Advice: "check the port", RefusedKept: 1,
				Refused: []outbox.Refused{{To: "gone@example.org", Time: now, Error: "550 no such user"}},
			},
		},
	}
	o.Facts.Database.AwaySince, o.Facts.Database.Reason = now.Add(-2*time.Hour), "mysql: connection refused"
	o.Facts.Queue = health.Queue{
		Refusing: "4096 MiB wait", DeadLetters: 1,
		Consumers: []health.Consumer{{Name: "store", Waiting: 1, Oldest: now.Add(-time.Hour)}, {Name: "alert"}},
	}
	var out strings.Builder
	printOverview(&out, o, now)
	for _, want := range []string{
		"database: away since ", ": mysql: connection refused\n",
		"queue: 1 entry to be stored, the oldest since ",
		"queue: new reports are refused: 4096 MiB wait\n",
		"queue: 1 report can't be stored; see to it, then run muster queue retry:\n    visit web1 0123: a value",
		"mail: 2 mails not sent yet, the oldest since ", ": connection refused\n    check the port\n",
		"mail: 1 mail refused for good; the last:\n    ", " to gone@example.org: 550 no such user\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") || strings.Contains(out.String(), "held against limits") {
		t.Errorf("it says\n%q", out.String())
	}
}

func TestOverviewSaysHowAServerGoesAboutItsWork(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local)
	s := &controller.Serving{
		Loaded: now.Add(-time.Hour), Refused: now, Reason: "muster.xml:3:\x1b[31m no such element", Restart: []string{"<queue>"},
		Next: now.Add(time.Minute),
	}
	for i := range aloneMost + 2 {
		s.Alone = append(s.Alone, controller.LeftAlone{
			Host: fmt.Sprint("h", i), Failures: 4, Stage: failure.Dial, Kind: failure.Refused, Next: now.Add(5 * time.Minute),
		})
	}
	var out strings.Builder
	printOverview(&out, &controller.Overview{Serving: s}, now)
	for _, want := range []string{
		"h0: left alone for a while after 4 failures, the last with refused (dial): next attempt at 2026-03-01 12:05:00\n",
		"and 2 hosts more are left alone\n",
		"configuration: that of 2026-03-01 11:00:00 is in use; the one that was read at 2026-03-01 12:00:00 is refused: muster.xml:3:",
		"configuration: <queue> has changed, which needs a restart of the server\n",
		"next sweep: at 2026-03-01 12:01:00\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") || strings.Contains(out.String(), "h20:") {
		t.Errorf("it says\n%q", out.String())
	}
}
