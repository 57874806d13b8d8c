package config

import (
	"strings"
	"testing"

	"muster/internal/report"
)

func TestLimits(t *testing.T) {
	const outer = `<limit statistic="cpu.usage" above="90%" for="5m"/><limit statistic="disk.usage" above="80%"/>
		<limit statistic="disk.usage" instance="/var" above="85%"/>`
	const inherited = "visit.failed > 0 1, logs.gaps > 0 1, logs.failed > 0 1, cpu.usage > 90 % for 5m0s, disk.usage > 80 %, disk.usage{/var} > 85 %"
	for _, c := range []struct{ own, want string }{
		{``, inherited},
		{`<limit statistic="cpu.usage" above="50%"/>`,
			"visit.failed > 0 1, logs.gaps > 0 1, logs.failed > 0 1, disk.usage > 80 %, disk.usage{/var} > 85 %, cpu.usage > 50 %"},
		{`<limit statistic="cpu.usage" below="1%"/>`, inherited + ", cpu.usage < 1 %"},
		{`<limit statistic="disk.usage" above="70%"/>`,
			"visit.failed > 0 1, logs.gaps > 0 1, logs.failed > 0 1, cpu.usage > 90 % for 5m0s, disk.usage{/var} > 85 %, disk.usage > 70 %"},
		{`<limit statistic="disk.usage" instance="/" above="70%"/>`, inherited + ", disk.usage{/} > 70 %"},
		{`<limit statistic="disk.usage" above="none"/>`,
			"visit.failed > 0 1, logs.gaps > 0 1, logs.failed > 0 1, cpu.usage > 90 % for 5m0s, disk.usage{/var} > 85 %"},
		{`<limit statistic="disk.usage" instance="/var" above="none"/>`,
			"visit.failed > 0 1, logs.gaps > 0 1, logs.failed > 0 1, cpu.usage > 90 % for 5m0s, disk.usage > 80 %, disk.usage{/var} > +Inf %"},
		{`<limit statistic="disk.usage" instance="/mnt" below="none"/>`, inherited + ", disk.usage{/mnt} < -Inf %"},
		{`<limit statistic="disk.usage" below="none"/>`, inherited},
		{`<limit statistic="visit.failed" above="none"/>`,
			"logs.gaps > 0 1, logs.failed > 0 1, cpu.usage > 90 % for 5m0s, disk.usage > 80 %, disk.usage{/var} > 85 %"},
		{`<limit statistic="visit.failed" above="0" for="10m"/>`,
			"logs.gaps > 0 1, logs.failed > 0 1, cpu.usage > 90 % for 5m0s, disk.usage > 80 %, disk.usage{/var} > 85 %, visit.failed > 0 1 for 10m0s"},
	} {
		c1 := parsed(t, muster(outer+`<host name="own" address="a" key="k">`+c.own+`</host><host name="other" address="b" key="k"/>`))
		if got := c1.host(t, "own").texts(); got != c.want {
			t.Errorf("limits of a host with %s\ngot  %s\nwant %s", c.own, got, c.want)
		}
		if got := c1.host(t, "other").texts(); got != inherited {
			t.Errorf("%s changed another host's limits to %s", c.own, got)
		}
		c2 := parsed(t, muster(outer+`<group key="k"><host name="own" address="a"/>`+c.own+`</group>`))
		if got := c2.host(t, "own").texts(); got != c.want {
			t.Errorf("limits of a group with %s\ngot  %s\nwant %s", c.own, got, c.want)
		}
	}
}

func TestWrongLimitsAreNotRepeated(t *testing.T) {
	for _, wrong := range []string{
		`<limit statistic="disk.usage" instance="" above="80%"/>`,
		`<limit statistic="disk.usage" instnce="/" above="80%"/>`,
		`<limit statistic="disk.usge" above="80%"/>`,
		`<limit statistic="disk.usage" abve="80%"/>`,
	} {
		document := muster(wrong + `<limit statistic="disk.usage" above="90%"/><limit statistic="disk.usage" below="1%"/>`)
		if got := mistakesIn(t, document, fixture()); len(got) != 1 {
			t.Errorf("%s: %q", wrong, got)
		}
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		statistic, text, unit string
		want                  float64
	}{
		{"cpu.usage", "90%", "%", 90},
		{"cpu.usage", "0.5%", "%", 0.5},
		{"memory.used", "10", "B", 10},
		{"memory.used", "10B", "B", 10},
		{"memory.used", "10kB", "B", 1e4},
		{"memory.used", "10KB", "B", 1e4},
		{"memory.used", "2MB", "B", 2e6},
		{"memory.used", "2GB", "B", 2e9},
		{"memory.used", "2TB", "B", 2e12},
		{"memory.used", "2PB", "B", 2e15},
		{"memory.used", "512KiB", "B", 524288},
		{"memory.used", "512MiB", "B", 536870912},
		{"memory.used", "1.5GiB", "B", 1610612736},
		{"memory.used", "1.5TiB", "B", 1649267441664},
		{"memory.used", "1PiB", "B", 1 << 50},
		{"disk.read.rate", "1.5MB/s", "B/s", 1.5e6},
		{"disk.read.rate", "100/s", "B/s", 100},
		{"disk.reads.rate", "100/s", "1/s", 100},
		{"disk.reads.rate", "100", "1/s", 100},
		{"disk.busy.rate", "0.9", "1", 0.9},
		{"uptime", "5m", "s", 300},
		{"uptime", "1w", "s", 604800},
		{"uptime", "1.5s", "s", 1.5},
		{"load.1", "8", "1", 8},
		{"load.1", "0.25", "1", 0.25},
		{"temperature", "80", "Cel", 80},
		{"temperature", "80.5°C", "Cel", 80.5},
		{"temperature", "-5°C", "Cel", -5},
	} {
		h := parsed(t, muster(`<host address="a" key="k"><limit statistic="`+c.statistic+`" above="`+c.text+`"/></host>`)).Hosts[0]
		got := h.Limits[len(h.Limits)-1]
		if got.Statistic != c.statistic || got.Unit != c.unit || *got.Above != c.want || got.Below != nil {
			t.Errorf("%s above %s: %s", c.statistic, c.text, h.texts())
		}
	}
}

func TestBoundsAreFinite(t *testing.T) {
	most := "1" + strings.Repeat("0", 308)
	for _, c := range []struct{ statistic, text string }{
		{"memory.used", most + "PiB"}, {"memory.used", most + "0"}, {"disk.read.rate", most + "kB/s"}, {"load.1", most + "0"},
	} {
		document := muster(`<limit statistic="` + c.statistic + `" above="` + c.text + `"/>`)
		if got := mistakesIn(t, document, fixture()); len(got) != 1 {
			t.Errorf("%s above %.10s…: %q", c.statistic, c.text, got)
		}
	}
}

// TestEveryStatisticCanHaveALimit holds the units of the catalogue and the syntax of bounds together: a new unit needs a
// syntax.
func TestEveryStatisticCanHaveALimit(t *testing.T) {
	examples := map[string]string{"%": "90%", "B": "1GiB", "B/s": "1MB/s", "s": "5m", "1": "8", "1/s": "100/s", "Cel": "80°C"}
	check := func(d report.Definition) {
		text, known := examples[d.Unit]
		if !known {
			t.Errorf("%s is in %s: what does a limit on it look like?", d.Name, d.Unit)
		}
		if d.Name == report.VisitFailed || d.Name == report.LogsFailed {
			text = "0"
		}
		mistakes := mistakesIn(t, muster(`<limit statistic="`+d.Name+`" above="`+text+`"/>`), fixture())
		switch {
		case d.Kind == report.Counter && (len(mistakes) != 1 || !strings.Contains(mistakes[0], "did you mean ")):
			t.Errorf("%s is a counter: %q", d.Name, mistakes)
		case d.Kind != report.Counter && len(mistakes) > 0:
			t.Errorf("%s: %q", d.Name, mistakes)
		}
	}
	for _, d := range report.Catalogue() {
		check(d)
		if rate, ok := report.RateOf(d); ok {
			check(rate)
		}
	}
}
