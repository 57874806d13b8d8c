package report

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestCatalogue(t *testing.T) {
	all := Catalogue()
	names := map[string]bool{}
	for _, d := range all {
		if names[d.Name] {
			t.Errorf("%s is there twice", d.Name)
		}
		names[d.Name] = true
		if rate, ok := RateOf(d); ok {
			if names[rate.Name] {
				t.Errorf("%s is there twice", rate.Name)
			}
			names[rate.Name] = true
			checkDefinition(t, rate)
		}
		checkDefinition(t, d)
	}
	for _, name := range []string{cpuTime, cpuUsage, cpuShare, Uptime, VisitFailed, LogsRecords, LogsGaps, LogsFailed} {
		if !names[name] {
			t.Errorf("%s, which the code goes by, is not there", name)
		}
	}
}

func checkDefinition(t *testing.T, d Definition) {
	t.Helper()
	if checkName(d.Name) != nil || checkUnit(d.Unit) != nil || d.Description == "" || d.Source == "" {
		t.Errorf("%+v is malformed", d)
	}
	if !slices.Contains([]string{"s", "B", "%", "1", "Cel", "B/s", "1/s"}, d.Unit) {
		t.Errorf("%s has the unit %s, which is no base unit", d.Name, d.Unit)
	}
	if d.Kind != Gauge && d.Kind != Counter || d.Kind == Counter && strings.HasSuffix(d.Name, rateSuffix) {
		t.Errorf("%s is a %s", d.Name, d.Kind)
	}
	if !slices.Contains([]string{"", "mode", "mount", "device", "interface", "sensor", "channel"}, d.Instance) {
		t.Errorf("%s has instances by %s", d.Name, d.Instance)
	}
	order := strings.Fields(everywhere)
	last := -1
	for _, platform := range strings.Fields(d.Platforms) {
		i := slices.Index(order, platform)
		if i <= last {
			t.Errorf("%s has the platforms %s", d.Name, d.Platforms)
		}
		last = i
	}
	if last < 0 {
		t.Errorf("%s is nowhere", d.Name)
	}
	if d.OTel != "" && !strings.HasPrefix(d.OTel, "system.") && !strings.HasPrefix(d.OTel, "hw.") {
		t.Errorf("%s has the OpenTelemetry name %s", d.Name, d.OTel)
	}
}

func TestLookup(t *testing.T) {
	for _, want := range Catalogue() {
		if got, ok := Lookup(want.Name); !ok || got != want {
			t.Errorf("%s is found as %+v, %v", want.Name, got, ok)
		}
		rate, counts := RateOf(want)
		got, ok := Lookup(want.Name + ".rate")
		if ok != counts || got != rate {
			t.Errorf("%s.rate is found as %+v, %v; want %+v", want.Name, got, ok, rate)
		}
		if counts != (want.Kind == Counter && want.Name != "cpu.time") {
			t.Errorf("%s has a rate: %v", want.Name, counts)
		}
	}
	for _, name := range []string{"", "cpu", "cpu.usage.rate", "cpu.time.rate", "Uptime", "disk.read.rate.rate"} {
		if got, ok := Lookup(name); ok {
			t.Errorf("%q is found as %+v", name, got)
		}
	}
	read, _ := Lookup("disk.read.rate")
	want := Definition{"disk.read.rate", "B/s", Gauge, "device", "server", everywhere, "",
		"disk.read a second, over the time since the visit before"}
	if read != want {
		t.Errorf("disk.read.rate is %+v, want %+v", read, want)
	}
}

// A caller may do with the catalogue what it likes.
func TestCatalogueIsACopy(t *testing.T) {
	Catalogue()[0].Name = "changed"
	if Catalogue()[0].Name == "changed" {
		t.Error("a caller changed the catalogue")
	}
	if _, ok := Lookup("changed"); ok {
		t.Error("a caller changed what Lookup finds")
	}
}

var update = flag.Bool("update", false, "write the tables of docs/statistics.md anew")

// The tables of docs/statistics.md are those of the catalogue: go test ./internal/report -run Documentation -update
func TestDocumentation(t *testing.T) {
	const path = "../../docs/statistics.md"
	const begin, end = "<!-- tables: made by go test ./internal/report -run Documentation -update -->\n", "<!-- end of tables -->\n"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(content), begin)
	_, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatalf("%s has lost the marks around its tables", path)
	}
	want := before + begin + tables() + end + after
	if string(content) == want {
		return
	}
	if !*update {
		t.Fatalf("%s is not that of the catalogue: run this test with -update", path)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tables renders the catalogue, and the rates that are made of it, as Markdown.
func tables() string {
	var statistics, rates strings.Builder
	statistics.WriteString("\n| statistic | unit | kind | instance | platforms | what it is | OpenTelemetry |\n" +
		"| --- | --- | --- | --- | --- | --- | --- |\n")
	rates.WriteString("\n| rate | unit | instance | platforms |\n| --- | --- | --- | --- |\n")
	for _, d := range Catalogue() {
		otel := d.OTel
		if otel != "" {
			otel = "`" + otel + "`"
		}
		fmt.Fprintf(&statistics, "| `%s` | %s | %s | %s | %s | %s | %s |\n",
			d.Name, d.Unit, d.Kind, d.Instance, platforms(d), d.Description, otel)
		if rate, ok := RateOf(d); ok {
			fmt.Fprintf(&rates, "| `%s` | %s | %s | %s |\n", rate.Name, rate.Unit, rate.Instance, platforms(rate))
		}
	}
	return statistics.String() + "\n### Rates\n" + rates.String() + "\n"
}

func platforms(d Definition) string {
	if d.Platforms == everywhere {
		return "all"
	}
	return strings.ReplaceAll(d.Platforms, " ", ", ")
}

func BenchmarkLookup(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Lookup("network.received.rate"); !ok {
			b.Fatal("not found")
		}
	}
}
