package health

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"muster/internal/report"
)

var update = flag.Bool("update", false, "write the tables of docs/monitoring.md anew")

const docs = "../../docs/monitoring.md"

// The tables of docs/monitoring.md are those of the code: go test ./internal/health -run Documentation -update
func TestDocumentation(t *testing.T) {
	content, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	want := string(content)
	for name, table := range map[string]string{"server": serverTable(t), "hosts": hostsTable()} {
		begin := "<!-- " + name + ": made by go test ./internal/health -run Documentation -update -->\n"
		before, rest, begun := strings.Cut(want, begin)
		_, after, ended := strings.Cut(rest, "<!-- end -->\n")
		if !begun || !ended {
			t.Fatalf("%s has lost the marks around its table of %s", docs, name)
		}
		want = before + begin + "\n" + table + "\n<!-- end -->\n" + after
	}
	if string(content) == want {
		return
	}
	if !*update {
		t.Fatalf("%s is not that of the code: run this test with -update", docs)
	}
	if err := os.WriteFile(docs, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// serverTable renders what /metrics has, but for what the collectors of Go and of the process add.
func serverTable(t *testing.T) string {
	families, err := busyFixture().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| metric | type | labels | what it is |\n| --- | --- | --- | --- |\n")
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "muster_") {
			continue
		}
		var labels []string
		for _, l := range f.Metric[0].Label {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()),
			strings.Join(labels, ", "), f.GetHelp())
	}
	return b.String()
}

// hostsTable renders what /metrics/hosts has.
func hostsTable() string {
	var b strings.Builder
	b.WriteString("| statistic | metric | type | labels |\n| --- | --- | --- | --- |\n")
	for _, f := range visitFamilies() {
		labels := ""
		if f.name == "muster_host_info" {
			labels = "`os`, `arch`, `client`"
		}
		fmt.Fprintf(&b, "|  | `%s` | gauge | %s |\n", f.name, labels)
	}
	l := theLayout()
	pair := regexp.MustCompile(`^,(.*)=`)
	for _, d := range report.Catalogue() {
		i, ok := l.index[d.Name]
		if !ok {
			continue
		}
		p := l.places[i]
		var labels []string
		if p.labels != "" {
			labels = append(labels, "`"+pair.ReplaceAllString(p.labels, "$1=")+"`")
		}
		if p.instance != "" {
			labels = append(labels, "`"+p.instance+"`: the "+d.Instance)
		}
		family := l.families[p.family]
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", d.Name, family.sample(), d.Kind, strings.Join(labels, ", "))
	}
	const others = "`statistic`, `statistic_instance`, `unit`"
	fmt.Fprintf(&b, "| any other gauge | `%s` | gauge | %s |\n| any other counter | `%s_total` | counter | %s |\n",
		otherGauge, others, otherCounter, others)
	return b.String()
}

// Every metric that the docs name in their text exists.
func TestDocumentationNamesWhatExists(t *testing.T) {
	content, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	tables := serverTable(t) + hostsTable()
	names := regexp.MustCompile(`\b(muster|system|hw)_[a-z0-9_]+`).FindAllString(string(content), -1)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		base := cmp.Or(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), name)
		if !strings.Contains(tables, "`"+base+"`") && !strings.Contains(tables, "`"+base+"=") { // a metric, or a label
			t.Errorf("%s is in the docs, and nowhere else", name)
		}
	}
}
