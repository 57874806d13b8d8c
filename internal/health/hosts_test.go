package health

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/visit"
)

const openMetrics = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"

func smallFleet() *fixture {
	f := newFixture(Host{"web1", "web/front"}, Host{"web2", "web"}, Host{"new", ""})
	f.sweep(time.Second,
		good("web1", statistic("disk.used", "/", 1024), statistic("network.received", "eth0", 7), statistic("cpu.usage", "", 12.5),
			statistic("network.received.rate", "eth0", 3), statistic("disk.free", "/", 2048), statistic("disk.used", `C:\"x"`, 1.5),
			report.Statistic{Name: "acme.jobs", Instance: "q1", Unit: "1", Kind: report.Counter, Value: 9},
			report.Statistic{Name: "acme.jobs.rate", Instance: "q1", Unit: "1/s", Kind: report.Gauge, Value: 2},
			report.Statistic{Name: "acme.heart.rate", Unit: "1/s", Kind: report.Gauge, Value: 1.25}),
		bad("web2", failure.Dial, failure.Timeout))
	return f
}

// TestHostsPage: every byte of a small page, in both formats.
func TestHostsPage(t *testing.T) {
	const want = `# HELP muster_host_up 1 where the last visit brought a report, 0 where it failed.
# TYPE muster_host_up gauge
muster_host_up{host="web1",group="web/front"} 1
muster_host_up{host="web2",group="web"} 0
# HELP muster_host_visit_timestamp_seconds When the last visit ended, in Unix time: what is on this page was so then.
# TYPE muster_host_visit_timestamp_seconds gauge
# UNIT muster_host_visit_timestamp_seconds seconds
muster_host_visit_timestamp_seconds{host="web1",group="web/front"} 1.7408304e+09
muster_host_visit_timestamp_seconds{host="web2",group="web"} 1.7408304e+09
# HELP muster_host_visit_duration_seconds How long the last visit took.
# TYPE muster_host_visit_duration_seconds gauge
# UNIT muster_host_visit_duration_seconds seconds
muster_host_visit_duration_seconds{host="web1",group="web/front"} 0.25
muster_host_visit_duration_seconds{host="web2",group="web"} 1
# HELP muster_host_info 1, with what the host is: operating system, architecture, version of the client.
# TYPE muster_host_info gauge
muster_host_info{host="web1",group="web/front",os="linux",arch="amd64",client="1.2.3"} 1
# HELP muster_host_cpu_usage_ratio cpu.usage: share of CPU time that was not idle, over all CPUs, since the visit before; waiting for a device is idle
# TYPE muster_host_cpu_usage_ratio gauge
# UNIT muster_host_cpu_usage_ratio ratio
muster_host_cpu_usage_ratio{host="web1",group="web/front"} 0.125
# HELP system_filesystem_usage_bytes disk.used: space in use; disk.free: space that users can still write to; with what is in use it may be less than the size, since some is reserved
# TYPE system_filesystem_usage_bytes gauge
# UNIT system_filesystem_usage_bytes bytes
system_filesystem_usage_bytes{host="web1",group="web/front",system_filesystem_state="used",system_filesystem_mountpoint="/"} 1024
system_filesystem_usage_bytes{host="web1",group="web/front",system_filesystem_state="used",system_filesystem_mountpoint="C:\\\"x\""} 1.5
system_filesystem_usage_bytes{host="web1",group="web/front",system_filesystem_state="free",system_filesystem_mountpoint="/"} 2048
# HELP system_network_io_bytes network.received: received since boot; network.sent: sent since boot
# TYPE system_network_io_bytes counter
# UNIT system_network_io_bytes bytes
system_network_io_bytes_total{host="web1",group="web/front",network_io_direction="receive",network_interface_name="eth0"} 7
# HELP muster_host_statistic Statistics that Muster does not know, of other clients.
# TYPE muster_host_statistic gauge
muster_host_statistic{host="web1",group="web/front",statistic="acme.heart.rate",statistic_instance="",unit="1/s"} 1.25
# HELP muster_host_cumulative Counters that Muster does not know, of other clients.
# TYPE muster_host_cumulative counter
muster_host_cumulative_total{host="web1",group="web/front",statistic="acme.jobs",statistic_instance="q1",unit="1"} 9
# EOF
`
	f := smallFleet()
	page := get(t, f.Handler(), "/metrics/hosts", "Accept", openMetrics)
	if page.code != http.StatusOK || page.header.Get("Content-Type") != typeOpenMetrics {
		t.Errorf("it answers %d %v", page.code, page.header)
	}
	if page.body != want {
		t.Errorf("got\n%s", page.body)
	}

	older := strings.ReplaceAll(want, "# EOF\n", "")
	for _, name := range []string{"system_network_io_bytes", "muster_host_cumulative"} {
		older = strings.ReplaceAll(older, " "+name+" ", " "+name+"_total ")
	}
	var lines []string
	for line := range strings.Lines(older) {
		if !strings.HasPrefix(line, "# UNIT") {
			lines = append(lines, line)
		}
	}
	page = get(t, f.Handler(), "/metrics/hosts")
	if page.header.Get("Content-Type") != typeText || page.body != strings.Join(lines, "") {
		t.Errorf("in the older format: %v\n%s", page.header, page.body)
	}
}

// TestLatestOnly: what is shown of a host is what its last visit said, and no more.
func TestLatestOnly(t *testing.T) {
	const usage = `muster_host_cpu_usage_ratio{host="web1",group="web"}`
	const up = `muster_host_up{host="web1",group="web"}`
	f := newFixture(Host{"web1", "web"})
	shown := func(when string, want map[string]string) {
		t.Helper()
		t.Run(when, func(t *testing.T) { expect(t, get(t, f.Handler(), "/metrics/hosts").body, want) })
	}
	shown("before", map[string]string{usage: "", up: ""})
	f.sweep(0, good("web1", statistic("cpu.usage", "", 50)))
	shown("visited", map[string]string{usage: "0.5", up: "1"})
	f.sweep(0, good("web1", statistic("cpu.usage", "", 25)))
	shown("visited again", map[string]string{usage: "0.25", up: "1"})
	f.sweep(0, visit.Busy(visit.Host{Name: "web1"}, noon()), bad("web1", failure.Run, failure.Cancelled))
	shown("skipped", map[string]string{usage: "0.25", up: "1"})
	f.sweep(0, bad("web1", failure.Run, failure.Timeout))
	shown("failed", map[string]string{usage: "", up: "0"})
	f.sweep(0, good("web1", statistic("cpu.usage", "", 75)), good("stranger", statistic("cpu.usage", "", 1)))
	shown("back", map[string]string{usage: "0.75", up: "1", `muster_host_up{host="stranger",group=""}`: ""})
	f.clock.pass(5 * time.Minute)
	shown("just in time", map[string]string{usage: "0.75"})
	f.clock.pass(time.Second)
	shown("long ago", map[string]string{usage: "", up: ""})
	if n := f.Status(t.Context()).Hosts; n != (Hosts{Unknown: 1}) {
		t.Errorf("long ago: %+v", n)
	}
	f.sweep(0, good("web1", statistic("cpu.usage", "", 75)))
	f.SetHosts([]Host{{"web1", "db"}, {"web2", "db"}})
	shown("moved", map[string]string{usage: "", `muster_host_cpu_usage_ratio{host="web1",group="db"}`: "0.75"})
	f.SetHosts([]Host{{"web2", "db"}})
	f.SetHosts([]Host{{"web1", "web"}})
	shown("gone and back", map[string]string{usage: "", up: ""})
}

// TestLayout: every statistic of the catalogue has a series of its own, whatever the host says.
func TestLayout(t *testing.T) {
	l := theLayout()
	seen := make(map[string]string)
	for _, p := range l.places {
		series := l.families[p.family].name + p.labels + "/" + p.instance
		if other, ok := seen[series]; ok {
			t.Errorf("%s and %s are both %s", other, p.statistic, series)
		}
		seen[series] = p.statistic
	}
	for _, d := range report.Catalogue() {
		i, ok := l.index[d.Name]
		if ok == (d.Name == "visit.failed") {
			t.Errorf("%s: on the page: %t", d.Name, ok)
			continue
		}
		if !ok {
			continue
		}
		f := l.families[l.places[i].family]
		if f.counter != (d.Kind == report.Counter) || f.unit != "" && !strings.HasSuffix(f.name, "_"+f.unit) {
			t.Errorf("%s is %+v", d.Name, f)
		}
		if (d.Instance == "") != (l.places[i].instance == "") {
			t.Errorf("%s: instance %q is the label %q", d.Name, d.Instance, l.places[i].instance)
		}
	}
	if !slices.IsSortedFunc(l.places, func(a, b place) int { return a.family - b.family }) {
		t.Error("the places are not ordered by family")
	}
}

// TestBounds: a host can't fill the page, nor the memory.
func TestBounds(t *testing.T) {
	f := newFixture(Host{"liar", ""}, Host{"writer", ""})
	many := []report.Statistic{}
	for i := range report.MaxStatistics {
		many = append(many, report.Statistic{Name: fmt.Sprintf("x.%d", i), Unit: "1", Kind: report.Gauge, Value: 1})
	}
	many = append(many, statistic("cpu.usage", "", 50)) // the catalogue's come first, wherever they stand
	var long []report.Statistic
	for i := range 900 {
		long = append(long, statistic("disk.used", fmt.Sprintf("%03d", i)+strings.Repeat("x", report.MaxInstance-3), 1))
	}
	f.sweep(0, good("liar", many...), good("writer", long...))
	page := get(t, f.Handler(), "/metrics/hosts").body
	if n := strings.Count(page, "muster_host_statistic{"); n != maxSeries-1 {
		t.Errorf("%d statistics of the liar are shown", n)
	}
	if !strings.Contains(page, `cpu_usage_ratio{host="liar",group=""} 0.5`) {
		t.Error("its CPU usage is not")
	}
	if n := strings.Count(page, "system_filesystem_usage_bytes{"); n != maxText/report.MaxInstance {
		t.Errorf("%d statistics of the writer are shown", n)
	}
	want := report.MaxStatistics + 1 - maxSeries + 900 - maxText/report.MaxInstance
	if n := f.Status(t.Context()).Hosts.LeftOut; n != want {
		t.Errorf("%d are said to be left out, want %d", n, want)
	}
}

// TestUnusable: what no sample can say is left out, even if a report should hold it.
func TestUnusable(t *testing.T) {
	f := newFixture(Host{"a", ""})
	f.sweep(0, good("a", statistic("cpu.usage", "", math.NaN()), statistic("load.1", "", math.Inf(1)),
		statistic("swap.in", "", -1), statistic("load.5", "", -1),
		report.Statistic{Name: "x", Unit: "1", Kind: report.Gauge, Value: math.Inf(-1)}))
	got := samples(t, get(t, f.Handler(), "/metrics/hosts").body)
	if got[`muster_host_load_5{host="a",group=""}`] != "-1" || len(got) != 5 {
		t.Errorf("got %v", got)
	}
}

// FuzzHostsPage: whatever names a host has, the page has one sample for them, with just those names.
func FuzzHostsPage(f *testing.F) {
	f.Add("web1", "web", "/", "x.y")
	f.Add(`a"b`, "a\nb", `\`, "\xff{}")
	f.Add("", "} 1\n# EOF\n", `",evil="1`, "é\x00")
	f.Fuzz(func(t *testing.T, name, group, instance, other string) {
		x := newFixture(Host{name, group})
		x.sweep(0, good(name, statistic("disk.used", instance, 1),
			report.Statistic{Name: "x." + other, Instance: instance, Unit: "1", Kind: report.Gauge, Value: 2}))
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(get(t, x.Handler(), "/metrics/hosts").body))
		if err != nil {
			t.Fatal(err)
		}
		valid := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
		for family, want := range map[string]map[string]string{
			"system_filesystem_usage_bytes": {"host": name, "group": group, "system_filesystem_state": "used",
				"system_filesystem_mountpoint": instance},
			otherGauge: {"host": name, "group": group, "statistic": "x." + other, "statistic_instance": instance, "unit": "1"},
		} {
			if families[family] == nil || len(families[family].Metric) != 1 {
				t.Fatalf("%s: %v", family, families[family])
			}
			labels := families[family].Metric[0].Label
			if len(labels) != len(want) {
				t.Errorf("%s has the labels %v", family, labels)
			}
			for _, l := range labels {
				if l.GetValue() != valid(want[l.GetName()]) {
					t.Errorf("%s: %s is %q, want %q", family, l.GetName(), l.GetValue(), want[l.GetName()])
				}
			}
		}
	})
}

// TestCompressed: the page is the same, whether compressed or not, and HEAD has its header alone.
func TestCompressed(t *testing.T) {
	f := newFixture(manyHosts(20)...)
	var visits []*visit.Visit
	for i, h := range manyHosts(20) {
		visits = append(visits, good(h.Name, fullReport(float64(i))...))
	}
	f.sweep(0, visits...)
	plain := get(t, f.Handler(), "/metrics/hosts")
	for accept, want := range map[string]bool{
		"gzip": true, "deflate, gzip;q=0.5": true, "GZIP": true, "identity": false, "gzip;q=0": false, "gzip; q=0.0, br": false, "": false,
	} {
		got := get(t, f.Handler(), "/metrics/hosts", "Accept-Encoding", accept)
		if (got.header.Get("Content-Encoding") == "gzip") != want {
			t.Errorf("%q: compressed: %t", accept, !want)
			continue
		}
		if want {
			z, err := gzip.NewReader(strings.NewReader(got.body))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.body) > len(text)/5 {
				t.Errorf("%d bytes become %d", len(text), len(got.body))
			}
			got.body = string(text)
		}
		if got.body != plain.body {
			t.Errorf("%q: the page is another", accept)
		}
	}
	head := ask(t, f.Handler(), http.MethodHead, "/metrics/hosts")
	if head.code != http.StatusOK || head.body != "" || head.header.Get("Content-Type") != typeText {
		t.Errorf("HEAD: %+v", head)
	}
}

// TestScrapesAtOnce: more scrapes than can be afforded are told to come back.
func TestScrapesAtOnce(t *testing.T) {
	f := newFixture()
	for range maxScrapes {
		f.scrapes <- struct{}{}
	}
	if page := get(t, f.Handler(), "/metrics/hosts"); page.code != http.StatusServiceUnavailable {
		t.Errorf("it answers %d", page.code)
	}
	<-f.scrapes
	for range 2 * maxScrapes {
		if page := get(t, f.Handler(), "/metrics/hosts"); page.code != http.StatusOK {
			t.Errorf("it answers %d", page.code)
		}
	}
}

// discard is a reader of pages that counts bytes.
type discard struct {
	header http.Header
	bytes  int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(p []byte) (int, error) {
	d.bytes += len(p)
	return len(p), nil
}

func BenchmarkHostsPage(b *testing.B) {
	const hosts = 10_000
	f := newFixture(manyHosts(hosts)...)
	for i, h := range manyHosts(hosts) {
		f.Visited(b.Context(), good(h.Name, fullReport(float64(i)*1.37)...))
	}
	handler := f.Handler()
	for name, accept := range map[string]string{"plain": "identity", "gzip": "gzip"} {
		b.Run(name, func(b *testing.B) {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics/hosts", nil)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Accept", openMetrics)
			r.Header.Set("Accept-Encoding", accept)
			w := &discard{header: make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				w.bytes = 0
				handler.ServeHTTP(w, r)
			}
			b.ReportMetric(float64(w.bytes), "page-B")
		})
	}
}

func BenchmarkVisited(b *testing.B) {
	f := newFixture(Host{"web1", "web"})
	v := good("web1", fullReport(1)...)
	b.ReportAllocs()
	for b.Loop() {
		f.Visited(b.Context(), v)
	}
}
