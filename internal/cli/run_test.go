package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/controller"
	"muster/internal/failure"
	"muster/internal/visit"
)

func failedVisit(host string) *visit.Visit {
	return &visit.Visit{Host: host, Address: host + ":22", Failure: failure.New(failure.Dial, failure.Refused, errors.New("refused"))}
}

// TestSummary says what was done: all hosts, or those before the sweep was stopped.
func TestSummary(t *testing.T) {
	for _, c := range []struct {
		summary controller.Summary
		want    string
		visited int
	}{
		{controller.Summary{Hosts: 59, Visited: 58, Failed: []*visit.Visit{failedVisit("a")}},
			"59 hosts visited in 1s: 58 reported, 1 failed; no alerts", 59},
		{controller.Summary{Hosts: 1, Visited: 1, Firing: 1, Raised: 1},
			"1 host visited in 1s: 1 reported, 0 failed; 1 alert (1 new, 0 over)", 1},
		{controller.Summary{Hosts: 59, Failed: []*visit.Visit{failedVisit("a")}, Cancelled: true},
			"1 of 59 hosts visited in 1s, then stopped: 0 reported, 1 failed; no alerts", 1},
		{controller.Summary{Hosts: 59, Cancelled: true},
			"0 of 59 hosts visited in 1s, then stopped: 0 reported, 0 failed; no alerts", 0},
	} {
		c.summary.Took = time.Second
		var out bytes.Buffer
		printSummary(&out, c.summary)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if got := lines[len(lines)-1]; got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		text, err := json.Marshal(summaryJSON(c.summary))
		if err != nil {
			t.Fatal(err)
		}
		var result struct{ Hosts, Visited, Reported int }
		if err := json.Unmarshal(text, &result); err != nil || result.Visited != c.visited || result.Hosts != c.summary.Hosts {
			t.Errorf("JSON: %s, want visited %d", text, c.visited)
		}
	}
}

func TestFailuresInTheOrderOfTheConfiguration(t *testing.T) {
	failed := []*visit.Visit{failedVisit("web10"), failedVisit("db"), failedVisit("web9")}
	inOrder(failed, []config.Host{{Name: "web9"}, {Name: "web10"}, {Name: "fine"}, {Name: "db"}})
	for i, want := range []string{"web9", "web10", "db"} {
		if failed[i].Host != want {
			t.Errorf("failure %d is that of %s, want %s", i, failed[i].Host, want)
		}
	}
}
