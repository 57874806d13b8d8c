package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

// readTo is what a part brings that has read a channel up to a cursor.
func readTo(host, channel string, at report.Cursor, read time.Duration) Logs {
	return Logs{Visit: "v", Sweep: noon(), Host: host, Read: noon().Add(read), Channels: []report.Logs{
		{Channel: channel, Epoch: at.Epoch, Next: at},
	}}
}

// testNumberedCursors has epochs whose numbers are in their order: no clock and no late delivery moves a cursor back.
func testNumberedCursors(t *testing.T, x *target) {
	s := x.open(t)
	for i, c := range []struct {
		epoch, record int64
		read          time.Duration
		want          string
	}{
		{5, 10, 0, "5 10"},
		{5, 9, time.Minute, "5 10"},
		{6, 1, -time.Minute, "6 1"}, // the log was rotated after the clock was put back
		{5, 11, 0, "6 1"},           // a late one of the epoch before
		{5, 11, -48 * time.Hour, "6 1"},
		{6, 2, -2 * time.Hour, "6 2"},
		{math.MaxInt64, 0, -3 * time.Hour, fmt.Sprint(int64(math.MaxInt64), " 0")},
	} {
		saveLogs(t, s, readTo("web1", "file:/var/log/auth.log", report.Cursor{Epoch: c.epoch, Record: c.record, Position: "p"}, c.read))
		_, _, cursors := logBooks(t, s)
		if want := "web1 file:/var/log/auth.log " + c.want + " p"; len(cursors) != 1 || cursors[0] != want {
			t.Errorf("%d: the cursor is %q, want %q", i, cursors, want)
		}
	}
}

// testCursors asks for what is there, and for what differs from it in anything.
func testCursors(t *testing.T, x *target) {
	s := x.open(t)
	ask := func(channels map[string][]string) map[string]map[string]report.Cursor {
		t.Helper()
		got, err := s.Cursors(t.Context(), channels)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := ask(map[string][]string{"web1": {"Security"}}); len(got) != 0 {
		t.Errorf("a new database has %v", got)
	}
	long := strings.Repeat("ü", 400)
	want := map[string]map[string]report.Cursor{
		"web1": {
			"Security":               {Epoch: 7, Record: 43, Position: strings.Repeat("é", report.MaxPosition/2)},
			"file:/var/log/auth.log": {Epoch: math.MaxInt64 - 1, Record: math.MaxInt64, Position: `<&'"\\%_;--`},
			"journal":                {Epoch: 9},
		},
		"Web1": {"Security": {Epoch: 8, Record: 1, Position: "another host"}},
		"wéb1": {"security": {Epoch: 8, Record: 2, Position: "another host and channel"}},
		long:   {long: {Epoch: 3, Record: 4, Position: "names that are longer than their columns"}},
	}
	asked := make(map[string][]string)
	for host, channels := range want {
		for channel, at := range channels {
			saveLogs(t, s, readTo(host, channel, at, 0))
			asked[host] = append(asked[host], channel)
		}
	}
	saveLogs(t, s, readTo("db1", "Security", report.Cursor{Epoch: 1, Record: 1}, 0), readTo("web1", "System", report.Cursor{Epoch: 1, Record: 1}, 0))
	asked["web1"] = append(asked["web1"], "SECURITY", "Security ", "")
	asked["WEB1"] = []string{"Security"}
	asked["web1 "] = []string{"Security"}
	asked[long+"x"] = []string{long}
	asked["none"] = nil
	if got := ask(asked); !reflect.DeepEqual(got, want) {
		t.Errorf("the cursors are\n%v, want\n%v", got, want)
	}
	if got := ask(nil); len(got) != 0 {
		t.Errorf("asked for nothing it returns %v", got)
	}

	// It is what the records of the same transaction say.
	saveLogs(t, s, part("dc1", "Security", noon(), 1, 20, securityRecord))
	if got := ask(map[string][]string{"dc1": {"Security"}})["dc1"]["Security"]; got != (report.Cursor{Epoch: 1, Record: 20, Position: "here"}) {
		t.Errorf("after 20 records the cursor is %+v", got)
	}
}

// testManyCursors asks for more hosts than go into a statement.
func testManyCursors(t *testing.T, x *target) {
	s := x.open(t)
	hosts := scaled(2500, 900)
	asked, want := make(map[string][]string), make(map[string]map[string]report.Cursor)
	var logs []Logs
	for i := range hosts {
		host, at := fmt.Sprintf("h%04d", i), report.Cursor{Epoch: int64(i) + 1, Record: int64(i), Position: fmt.Sprint("p", i)}
		logs = append(logs, readTo(host, "journal", at, 0), readTo(host, "Security", at, 0))
		asked[host], want[host] = []string{"journal"}, map[string]report.Cursor{"journal": at}
	}
	saveLogs(t, s, logs...)
	began := time.Now()
	got, err := s.Cursors(t.Context(), asked)
	if err != nil || !maps.EqualFunc(got, want, maps.Equal) {
		t.Errorf("of %d hosts it returns those of %d, %v", hosts, len(got), err)
	}
	t.Logf("%d hosts in %v", hosts, time.Since(began))
}

func testCursorsUnread(t *testing.T, x *target) {
	s := x.open(t)
	channels := map[string][]string{"web1": {"journal"}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Cursors(ctx, channels); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := s.db.Exec("DROP TABLE cursors").Error; err != nil {
		t.Fatal(err)
	}
	if got, err := s.Cursors(t.Context(), channels); err == nil || !strings.Contains(err.Error(), "read the cursors") {
		t.Errorf("without the table: %v, %v", got, err)
	}
}
