package store

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"muster/internal/report"
)

func testNumbers(t *testing.T, x *target) {
	var log logBuffer
	o := x.fresh(t)
	o.Logger = log.logger()
	s := openStore(t, o)
	values := []float64{
		0, 1, -1, 0.1, 1.0 / 3, math.MaxFloat64, -math.MaxFloat64, 1e308, 1e65, 2.2250738585072014e-308, 1e-300,
		math.MaxInt64, 1<<53 + 1, 1.7976931348623157e+307, math.Pi, 123456789.123456789,
	}
	v := one("web1", noon(), report.Statistic{})
	v.Report.Statistics = nil
	for i, value := range append(values, math.NaN(), math.Inf(1), math.Inf(-1)) {
		v.Report.Statistics = append(v.Report.Statistics, report.Statistic{Name: "n", Instance: encode(i), Unit: "1", Value: value})
	}
	save(t, s, v)
	if n := count(t, s, "statistics"); n != len(values) {
		t.Errorf("%d values are stored, want %d: those that are finite", n, len(values))
	}
	for i, want := range values {
		if got := queryOne[float64](t, s, "SELECT value FROM latest WHERE instance = '"+encode(i)+"'"); got != want {
			t.Errorf("%v came back as %v", want, got)
		}
	}
	if !strings.Contains(log.String(), "not finite") || !strings.Contains(log.String(), "statistics=3") {
		t.Errorf("the log does not tell of what was left out: %s", log.String())
	}
}

func weirdTexts() []string {
	return []string{
		"", " ", "plain", "😀 é 漢字 \u202e rtl", "NUL\x00inside", "\x00", "bad \xff\xfe utf8 \xed\xa0\x80", "\xc3", "quote ' \" ` \\ \\' --",
		"percent %s %d ? $1 :name @x", "line\nfeed\r\ttab\x01\x1b[31m", "'); DROP TABLE hosts; --", "\u2028\ufeff\uffff",
		strings.Repeat("x", 1000), strings.Repeat("é", 1000), strings.Repeat("😀", 100_000), `{"json": "\u0000"}`,
	}
}

// testTexts puts every weird text into every field.
func testTexts(t *testing.T, x *target) {
	s := x.open(t)
	texts := weirdTexts()
	for i, text := range texts {
		sweep := noon().Add(time.Duration(i) * time.Minute)
		good := Visit{
			ID: "id" + text, Sweep: sweep, Host: text + "host", Groups: text, Address: text, Started: sweep, Stage: text,
			Kind: text, Error: text, Advice: text, Log: text, Stages: map[string]time.Duration{text: time.Second},
			Report: &report.Report{
				OS: text, Arch: text, Hostname: text, Client: text,
				Statistics: []report.Statistic{{Name: "n" + text, Instance: text, Unit: text, Kind: report.Kind(text), Value: 1}},
				Failures:   []report.Failure{{Source: text, Reason: text}},
			},
		}
		if err := s.Save(t.Context(), []Visit{good, broken("other", sweep)}); err != nil {
			t.Errorf("%.40q: %v", text, err)
			continue
		}
		a := someAlert("id" + text)
		a.Host, a.Statistic, a.Instance, a.Unit, a.Limit, a.Text = text, text, text, text, text, text
		if err := s.SaveAlerts(t.Context(), []Alert{a}); err != nil {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	var rows []visitRow
	if err := s.db.Where("host <> ?", "other").Order("sweep_time").Find(&rows).Error; err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(texts) {
		t.Fatalf("%d visits are stored, want %d", len(rows), len(texts))
	}
	for i, row := range rows {
		if want := prose(texts[i], maxError); row.Error != want {
			t.Errorf("%.40q came back as %.40q", want, row.Error)
		}
		if !utf8.ValidString(row.Log) {
			t.Errorf("%.40q came back as invalid UTF-8", texts[i])
		}
	}
	if n := count(t, s, "latest"); n != len(texts)-1 { // without NUL, two of the texts are the same host
		t.Errorf("there are values of %d hosts, want %d", n, len(texts)-1)
	}
	if _, err := s.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// testBounds: the longest that a report and the configuration let through comes back as it was, so that an alert has its
// identity again after a restart. The characters are the widest and do not repeat, which is what fits least into an index.
func testBounds(t *testing.T, x *target) {
	s := x.open(t)
	longest := func(n int) string {
		text := make([]rune, n)
		for i := range text {
			text[i] = 0x20000 + rune(i*7919%0xA000)
		}
		return string(text)
	}
	r := &report.Report{
		Visit: "visit", Host: longest(report.MaxText), Hostname: longest(report.MaxText), Time: noon(), Client: "1.0", OS: "linux",
		Arch: "amd64", Statistics: []report.Statistic{{
			Name: strings.Repeat("n", report.MaxName), Instance: longest(report.MaxInstance), Kind: report.Gauge,
			Unit: strings.Repeat("u", report.MaxUnit), Value: 1,
		}},
	}
	if left := r.Clean(); left > 0 || r.Failures != nil {
		t.Fatalf("a report would not let this through: %v", r.Failures)
	}
	wanted := r.Statistics[0]
	save(t, s, Visit{ID: "visit", Sweep: noon(), Host: r.Host, Started: noon(), Report: r})
	var row seriesRow
	if err := s.db.Take(&row).Error; err != nil {
		t.Fatal(err)
	}
	if row.Host != r.Host || row.Name != wanted.Name || row.Instance != wanted.Instance || row.Unit != wanted.Unit {
		t.Errorf("the series came back as %+v", row)
	}
	if h := readHost(t, s, r.Host); h.Hostname != r.Hostname {
		t.Errorf("the name of the machine came back as %q", h.Hostname)
	}
	a := someAlert("a")
	a.Host, a.Statistic, a.Instance, a.Unit = r.Host, wanted.Name, wanted.Instance, wanted.Unit
	if err := s.SaveAlerts(t.Context(), []Alert{a}); err != nil {
		t.Fatal(err)
	}
	alerts, err := s.Alerts(t.Context())
	if err != nil || len(alerts) != 1 {
		t.Fatalf("%d alerts, %v", len(alerts), err)
	}
	got := alerts[0]
	if got.Host != a.Host || got.Statistic != a.Statistic || got.Instance != a.Instance || got.Unit != a.Unit {
		t.Errorf("the alert came back as %+v", got)
	}
}

// testNames: what differs in anything is another series.
func testNames(t *testing.T, x *target) {
	s := x.open(t)
	v := one("web1", noon(), report.Statistic{})
	v.Report.Statistics = nil
	long := strings.Repeat("x", 300)
	instances := []string{"a", "A", "á", "a\u0301", "a ", " a", "ß", "ss", "", long + "1", long + "2"}
	for i, instance := range instances {
		v.Report.Statistics = append(v.Report.Statistics,
			report.Statistic{Name: "n", Instance: instance, Unit: "B", Value: float64(i)},
			report.Statistic{Name: "n", Instance: instance, Unit: "1", Value: float64(100 + i)})
	}
	save(t, s, v)
	if n := count(t, s, "latest"); n != 2*len(instances) {
		t.Errorf("%d series have a value, want %d", n, 2*len(instances))
	}
	if got := queryOne[float64](t, s, "SELECT value FROM latest WHERE instance = 'A' AND unit = 'B'"); got != 1 {
		t.Errorf("the value of A is %v, want 1", got)
	}
}

// testCollision has another series own the id that a statistic's series would get.
func testCollision(t *testing.T, x *target) {
	var log logBuffer
	o := x.fresh(t)
	o.Logger = log.logger()
	s := openStore(t, o)
	mine := seriesRow{Host: "web1", Name: "uptime", Unit: "s"}
	id, _ := identify(&mine, nil)
	theirs := seriesRow{ID: id.id, Host: "evil", Name: "uptime", Instance: "found by search", Unit: "s", Kind: "gauge"}
	if err := s.db.Create(&theirs).Error; err != nil {
		t.Fatal(err)
	}
	v := one("web1", noon(), report.Statistic{Name: "uptime", Unit: "s", Value: 1})
	v.Report.Statistics = append(v.Report.Statistics, report.Statistic{Name: "load.1", Unit: "1", Value: 2})
	save(t, s, v)
	save(t, s, v)
	if n := count(t, s, "statistics"); n != 1 {
		t.Errorf("%d values are stored, want 1: the one whose id is its own", n)
	}
	if n := count(t, s, "latest WHERE host = 'evil'"); n != 0 {
		t.Error("a value was stored as another series'")
	}
	if !strings.Contains(log.String(), "belongs to another") {
		t.Errorf("the log does not tell: %s", log.String())
	}
}
