package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"muster/internal/report"
)

// The files are those that the program writes: go run ./internal/dashboards
func TestFiles(t *testing.T) {
	written := t.TempDir()
	if err := write(written); err != nil {
		t.Fatal(err)
	}
	const kept = "../../dashboards"
	if got, want := names(t, kept), names(t, written); got != want {
		t.Fatalf("there are %s, want %s", got, want)
	}
	for name := range files() {
		got, err := os.ReadFile(filepath.Join(kept, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(written, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the program writes: go run ./internal/dashboards", name)
		}
	}
}

func names(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// TestForm: what Grafana needs to import a dashboard and to show it.
func TestForm(t *testing.T) {
	uids := make(map[string]string)
	for name, d := range files() {
		t.Run(name, func(t *testing.T) {
			text, err := encode(d)
			if err != nil {
				t.Fatal(err)
			}
			var whole map[string]any
			if err := json.Unmarshal(text, &whole); err != nil {
				t.Fatal(err)
			}
			if other, ok := uids[d.UID]; ok || d.UID == "" || len(d.UID) > 40 {
				t.Errorf("its uid is %q, as that of %q", d.UID, other)
			}
			uids[d.UID] = name
			variables := []string{}
			for _, v := range d.Templating.List {
				variables = append(variables, v.Name)
			}
			if !slices.Equal(variables, []string{"datasource", "host"}) {
				t.Errorf("its variables are %q", variables)
			}
			checkPlaces(t, d.Panels)
			for _, p := range d.Panels {
				checkPanel(t, &p)
			}
		})
	}
}

func checkPlaces(t *testing.T, panels []panel) {
	taken := make(map[[2]int]string)
	ids := make(map[int]bool)
	for _, p := range panels {
		if ids[p.ID] {
			t.Errorf("%s has a number that is taken", p.Title)
		}
		ids[p.ID] = true
		if p.Grid.X+p.Grid.W > 24 || p.Grid.W < 1 || p.Grid.H < 1 {
			t.Errorf("%s lies at %+v", p.Title, p.Grid)
		}
		for x := range p.Grid.W {
			for y := range p.Grid.H {
				at := [2]int{p.Grid.X + x, p.Grid.Y + y}
				if other, ok := taken[at]; ok {
					t.Fatalf("%s and %s overlap", p.Title, other)
				}
				taken[at] = p.Title
			}
		}
	}
}

func checkPanel(t *testing.T, p *panel) {
	if p.Type == "row" {
		if len(p.Targets) != 0 {
			t.Errorf("%s is a heading with queries", p.Title)
		}
		return
	}
	if p.Title == "" || len(p.Targets) == 0 || p.Datasource == nil || p.Datasource.UID != "${datasource}" {
		t.Errorf("%s: %+v", p.Title, p)
	}
	for _, q := range p.Targets {
		if q.Datasource != *p.Datasource || text(q) == "" {
			t.Errorf("%s: %+v", p.Title, q)
		}
	}
	if s := p.Fields.Defaults.Thresholds; s != nil {
		for i, step := range s.Steps {
			if (i == 0) != (step.Value == nil) || i > 1 && *step.Value < *s.Steps[i-1].Value {
				t.Errorf("%s: its thresholds are %+v", p.Title, s.Steps)
			}
		}
	}
}

// text returns what a query asks, in its language.
func text(q target) string { return q.Expr + q.RawSQL + q.QueryText }

// fill puts values in the place of Grafana's variables. One that Grafana would not know fails the test.
func fill(t *testing.T, query string, values map[string]string) string {
	t.Helper()
	return regexp.MustCompile(`\$\{[a-z:]+\}|\$[a-z_]+`).ReplaceAllStringFunc(query, func(name string) string {
		value, ok := values[name]
		if !ok {
			t.Errorf("nothing is known of %s in %s", name, query)
		}
		return value
	})
}

// wholeReport returns a value for every statistic that there is, and for every rate; 10 and more for the given seed.
func wholeReport(seed float64) []report.Statistic {
	var all []report.Statistic
	for i, d := range report.Catalogue() {
		if d.Name == "visit.failed" {
			continue
		}
		instances := []string{""}
		switch d.Instance {
		case "":
		case "mode":
			instances = []string{"idle", "user"}
		default:
			instances = []string{d.Instance + "-a", d.Instance + "-b"}
		}
		for j, instance := range instances {
			s := report.Statistic{Name: d.Name, Instance: instance, Unit: d.Unit, Kind: d.Kind, Value: seed + float64(i)/100 + float64(j)}
			all = append(all, s)
			if rate, ok := report.RateOf(d); ok {
				s.Name, s.Unit, s.Kind = rate.Name, rate.Unit, rate.Kind
				all = append(all, s)
			}
		}
	}
	return all
}

// title names a query of a panel in the output of a test.
func title(p *panel, q target) string { return fmt.Sprintf("%d %s %s", p.ID, p.Title, q.RefID) }
