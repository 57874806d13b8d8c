package report

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestMarshalAndParseAgree(t *testing.T) {
	empty := typical()
	empty.Statistics, empty.Failures, empty.Hostname = nil, nil, ""
	for _, r := range []*Report{typical(), awkward(), empty} {
		document := marshal(t, r)
		got, err := Parse(document)
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		same(t, got, r)
		if again := marshal(t, got); !bytes.Equal(again, document) {
			t.Errorf("marshalled again it is\n%s\nand was\n%s", again, document)
		}
	}
}

func TestMarshalGivesOneForm(t *testing.T) {
	r := &Report{
		Visit: "v", Host: "h", Client: "1", OS: "linux", Arch: "arm64",
		Time:       time.Date(2026, 1, 2, 4, 4, 5, 0, time.FixedZone("", 3600)),
		Statistics: []Statistic{{"disk.usage", `/a"b`, "%", Gauge, math.Copysign(0, -1)}, {"swap.in", "", "B", Counter, 3e9}},
		Failures:   []Failure{{"temperature", "no <sensor> & so on"}},
	}
	want := `<?xml version="1.0" encoding="UTF-8"?>
<report xmlns="urn:muster:report:1" visit="v" host="h" time="2026-01-02T03:04:05Z" client="1" os="linux" arch="arm64">
  <statistics>
    <statistic name="disk.usage" instance="/a&quot;b" unit="%" kind="gauge" value="0"/>
    <statistic name="swap.in" unit="B" kind="counter" value="3000000000"/>
  </statistics>
  <failures>
    <failure source="temperature" reason="no &lt;sensor&gt; &amp; so on"/>
  </failures>
</report>
`
	if got := marshal(t, r); string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNumbersStayWhatTheyAre(t *testing.T) {
	for value, text := range map[float64]string{
		0: "0", 1: "1", -1: "-1", 0.1: "0.1", 1e15: "1000000000000000", 123456789.25: "123456789.25",
		1e-6: "0.000001", 1e-7: "1e-07", 1e20: "100000000000000000000", 1e21: "1e+21",
		math.MaxFloat64: "1.7976931348623157e+308", math.SmallestNonzeroFloat64: "5e-324",
		1<<53 + 2: "9007199254740994",
	} {
		if got := string(appendNumber(nil, value)); got != text {
			t.Errorf("%v is written %s, want %s", value, got, text)
		}
		if got, err := parseNumber(text); err != nil || got != value {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-", "+1", "1.", ".5", "1e", "1e+", "NaN", "INF", "-INF", "Infinity", "inf", "0x1p4",
		"1_000", "1e309", "-1e309", " 1", "1 ", "1,5", "1e5e5", "1.2.3", "1e5.5", "--1", "1-", "٣"} {
		if value, err := parseNumber(text); err == nil {
			t.Errorf("%q is read as %v", text, value)
		}
	}
	if value, err := parseNumber("-0"); err != nil || math.Signbit(value) {
		t.Errorf("-0 is read as %v, %v", value, err)
	}
}

func TestMarshalRefusesWhatParseWould(t *testing.T) {
	long := strings.Repeat("x", MaxText+1)
	for name, change := range map[string]func(*Report){
		"visit: it is empty":            func(r *Report) { r.Visit = "" },
		"host: it is empty":             func(r *Report) { r.Host = "" },
		"client: it is empty":           func(r *Report) { r.Client = "" },
		"os: it is empty":               func(r *Report) { r.OS = "" },
		"arch: it is empty":             func(r *Report) { r.Arch = "" },
		"host: it is longer":            func(r *Report) { r.Host = long },
		"hostname: it is longer":        func(r *Report) { r.Hostname = long },
		"hostname: it holds":            func(r *Report) { r.Hostname = "a\nb" },
		"visit: it is not UTF-8":        func(r *Report) { r.Visit = "\xff" },
		"time: it is not within":        func(r *Report) { r.Time = time.Time{} },
		"20001 statistics":              func(r *Report) { r.Statistics = make([]Statistic, MaxStatistics+1) },
		"1001 failures":                 func(r *Report) { r.Failures = make([]Failure, MaxFailures+1) },
		"there twice":                   func(r *Report) { r.Statistics = append(r.Statistics, r.Statistics[0]) },
		"the value is not a finite":     func(r *Report) { r.Statistics[0].Value = math.NaN() },
		`failure of "Disk": the source`: func(r *Report) { r.Failures[0].Source = "Disk" },
		`failure of "disk": the reason`: func(r *Report) { r.Failures[0].Reason = "" },
	} {
		r := typical()
		change(r)
		document, err := r.Marshal()
		if err == nil || document != nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %d bytes and the error %v", name, len(document), err)
		}
	}
}

func TestMarshalIsBounded(t *testing.T) {
	r := typical()
	r.Statistics = nil
	for i := range MaxStatistics {
		instance := fmt.Sprintf("%0*d", MaxInstance, i)
		r.Statistics = append(r.Statistics, Statistic{"custom.thing", instance, "1", Gauge, 1})
	}
	if _, err := r.Marshal(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got the error %v for what is larger than a document may be", err)
	}
	for i := range r.Statistics {
		r.Statistics[i].Instance = fmt.Sprint(i)
	}
	if _, err := Parse(marshal(t, r)); err != nil {
		t.Errorf("%d statistics: %v", MaxStatistics, err)
	}
}

func TestClean(t *testing.T) {
	long := strings.Repeat("é", MaxInstance)
	for _, test := range []struct{ instance, want string }{
		{"/var", "/var"},
		{"C:\\\x00\x00", "C:\\"},
		{"a\x1b[2Jb\nc\x7f", "a\uFFFD[2Jb\uFFFDc\uFFFD"},
		{"\xffabc\xc3", "\uFFFDabc\uFFFD"},
		{"x\u202Egpj.exe\u2066", "x\uFFFDgpj.exe\uFFFD"},
		{"\u061C\u200E\u200F\u202A\u2069|\u061B\u200D\u2010\u2029", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD|\u061B\u200D\u2010\uFFFD"},
		{"\u0085\u2028\uFEFF\uFFFE\uFFFF", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"},
		{long, long},
		{long + "1", strings.Repeat("é", MaxInstance-9) + "~1ad0db38"},
	} {
		s, ok := Clean(Statistic{"disk.usage", test.instance, "%", Gauge, 1})
		if !ok || s.Instance != test.want {
			t.Errorf("%q became %q, %v; want %q", test.instance, s.Instance, ok, test.want)
		}
	}
	one, _ := Clean(Statistic{"disk.usage", long + "1", "%", Gauge, 1})
	two, _ := Clean(Statistic{"disk.usage", long + "2", "%", Gauge, 1})
	if one == two {
		t.Error("two long instances became the same")
	}
	if zero, _ := Clean(Statistic{"uptime", "", "s", Gauge, math.Copysign(0, -1)}); math.Signbit(zero.Value) {
		t.Error("-0 stayed")
	}
}

// The rules for a single statistic are the same for Clean, Marshal and Parse.
func TestStatisticsThatCannotBeSent(t *testing.T) {
	for want, s := range map[string]Statistic{
		"finite":                      {"uptime", "", "s", Gauge, math.NaN()},
		"not a finite":                {"uptime", "", "s", Gauge, math.Inf(-1)},
		"below 0":                     {"swap.in", "", "B", Counter, -1},
		"the unit of uptime is s":     {"uptime", "", "B", Gauge, 1},
		"uptime is a gauge":           {"uptime", "", "s", Counter, 1},
		"uptime has no instances":     {"uptime", "x", "s", Gauge, 1},
		"disk.usage needs":            {"disk.usage", "", "%", Gauge, 1},
		"the unit of disk.read.rate":  {"disk.read.rate", "sda", "B", Gauge, 1},
		"server's own":                {"visit.failed", "", "1", Gauge, 0},
		"are the server's":            {"visit.other", "", "1", Gauge, 0},
		"begin with \"logs.\"":        {LogsRecords, "journal", "1", Gauge, 0},
		"kind is neither":             {"custom.thing", "", "1", "histogram", 1},
		"neither gauge":               {"custom.thing", "", "1", "", 1},
		"the unit: it must have":      {"custom.thing", "", "", Gauge, 1},
		"unit: it must have 1 to 20":  {"custom.thing", "", strings.Repeat("x", MaxUnit+1), Gauge, 1},
		"printable ASCII":             {"custom.thing", "", "a b", Gauge, 1},
		"may hold printable":          {"custom.thing", "", "µs", Gauge, 1},
		"the name: it is not made":    {"", "", "1", Gauge, 1},
		"name: it is not made":        {"Custom", "", "1", Gauge, 1},
		"it is not made of":           {"custom..thing", "", "1", Gauge, 1},
		"is not made of lower":        {".custom", "", "1", Gauge, 1},
		"not made of lower-case":      {"custom.", "", "1", Gauge, 1},
		"made of lower-case":          {"1custom", "", "1", Gauge, 1},
		"lower-case words":            {"custom._x", "", "1", Gauge, 1},
		"lower-case words joined":     {"custom thing", "", "1", Gauge, 1},
		"name: it is longer than 100": {strings.Repeat("x", MaxName+1), "", "1", Gauge, 1},
	} {
		if got, ok := Clean(s); ok {
			t.Errorf("Clean lets %+v pass as %+v", s, got)
		}
		r := typical()
		r.Statistics = []Statistic{s}
		if _, err := r.Marshal(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Marshal of %+v: got the error %v, want %q in it", s, err, want)
		}
		if _, err := Parse(written(s)); err == nil {
			t.Errorf("Parse accepts %s", written(s))
		}
	}
	for _, name := range []string{"a", "a1.2.c-d_e", strings.Repeat("x", MaxName)} {
		if _, ok := Clean(Statistic{name, "", strings.Repeat("x", MaxUnit), Gauge, 1}); !ok {
			t.Errorf("Clean refuses the name %s", name)
		}
	}
}

// written is a report with the statistic in it, whether that is allowed or not.
func written(s Statistic) []byte {
	b := []byte(opening + "<statistics>")
	b = appendStatistic(b, &s)
	return append(b, "</statistics><failures/></report>"...)
}

func TestCleanReport(t *testing.T) {
	r := typical()
	r.Hostname, r.Client = "a\x00b\n", strings.Repeat("1", 300)
	good := len(r.Statistics)
	r.Statistics = append(r.Statistics,
		Statistic{"disk.usage", "/", "%", Gauge, 2}, // there is one already
		Statistic{"load.1", "", "1", Gauge, math.NaN()},
		Statistic{"disk.usage", "/new\n", "%", Gauge, 3})
	r.Failures = []Failure{{"Bad Source", "why\r\nnot"}, {"cpu", ""}}
	if left := r.Clean(); left != 2 {
		t.Errorf("%d statistics were left out, want 2", left)
	}
	if got := r.Statistics[good:]; len(got) != 1 || got[0].Instance != "/new\uFFFD" {
		t.Errorf("the statistics end in %+v", got)
	}
	want := []Failure{
		{"report", `2 statistics could not be sent; "disk.usage": disk.usage is there twice for the instance "/"`},
		{"unknown", `"Bad Source": why` + "\uFFFD\uFFFD" + "not"},
		{"cpu", "no reason was given"},
	}
	if fmt.Sprint(r.Failures) != fmt.Sprint(want) {
		t.Errorf("the failures are\n%v\nwant\n%v", r.Failures, want)
	}
	document := marshal(t, r)
	got, err := Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, r)
	if r.Hostname != "ab\uFFFD" || len(r.Client) != MaxText {
		t.Errorf("the hostname is %q, the client %q", r.Hostname, r.Client)
	}
	before := marshal(t, typical())
	clean := typical()
	if clean.Clean() != 0 || !bytes.Equal(marshal(t, clean), before) {
		t.Error("a report that was clean changed")
	}
}

func TestCleanReportIsBounded(t *testing.T) {
	r := typical()
	r.Statistics = nil
	for i := range MaxStatistics + 7 {
		r.Statistics = append(r.Statistics, Statistic{"custom.thing", fmt.Sprint(i), "1", Gauge, 1})
	}
	for range MaxFailures {
		r.Failures = append(r.Failures, Failure{"cpu", "it failed"})
	}
	if left := r.Clean(); left != 7 || len(r.Statistics) != MaxStatistics || len(r.Failures) != MaxFailures {
		t.Errorf("%d left out, %d statistics, %d failures", left, len(r.Statistics), len(r.Failures))
	}
	if !strings.HasPrefix(r.Failures[0].Reason, "7 statistics") {
		t.Errorf("the first failure is %+v", r.Failures[0])
	}
	marshal(t, r)
}

func TestParseSharesNothingWithTheDocument(t *testing.T) {
	document := marshal(t, typical())
	got, err := Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	for i := range document {
		document[i] = 'x'
	}
	same(t, got, typical())
}

func BenchmarkParse(b *testing.B) {
	document := marshal(b, typical())
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(document); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	r := typical()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Marshal(); err != nil {
			b.Fatal(err)
		}
	}
}
