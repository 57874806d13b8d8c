package report

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"math"
	"strings"
	"testing"
	"time"
)

// What Parse accepts has one form, and means to another reader of XML what it means to Parse.
func FuzzParse(f *testing.F) {
	f.Add(marshal(f, typical()))
	f.Add(marshal(f, awkward()))
	f.Add(marshal(f, withLogs()))
	for _, document := range accepted() {
		f.Add([]byte(document))
	}
	for _, test := range refusals() {
		f.Add([]byte(test.document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		r, err := Parse(document)
		if err != nil {
			if r != nil {
				t.Error("a report beside an error")
			}
			return
		}
		first := marshal(t, r)
		again, err := Parse(first)
		if err != nil {
			t.Fatalf("what Marshal wrote is refused: %v\n%s", err, first)
		}
		same(t, again, r)
		if second := marshal(t, again); !bytes.Equal(first, second) {
			t.Errorf("two forms of one report:\n%s\n%s", first, second)
		}
		same(t, r, readOtherwise(t, document))
	})
}

// readOtherwise reads a report, which must be acceptable, by way of encoding/xml.
func readOtherwise(t *testing.T, document []byte) *Report {
	var read struct {
		XMLName    xml.Name  `xml:"urn:muster:report:1 report"`
		Visit      string    `xml:"visit,attr"`
		Host       string    `xml:"host,attr"`
		Time       time.Time `xml:"time,attr"`
		Client     string    `xml:"client,attr"`
		OS         string    `xml:"os,attr"`
		Arch       string    `xml:"arch,attr"`
		Hostname   string    `xml:"hostname,attr"`
		Statistics []struct {
			Name     string  `xml:"name,attr"`
			Instance string  `xml:"instance,attr"`
			Unit     string  `xml:"unit,attr"`
			Kind     Kind    `xml:"kind,attr"`
			Value    float64 `xml:"value,attr"`
		} `xml:"urn:muster:report:1 statistics>statistic"`
		Failures []struct {
			Source string `xml:"source,attr"`
			Reason string `xml:"reason,attr"`
		} `xml:"urn:muster:report:1 failures>failure"`
		Logs []otherLog `xml:"urn:muster:report:1 logs>log"`
	}
	if err := xml.Unmarshal(document, &read); err != nil {
		t.Fatalf("encoding/xml refuses what Parse accepts: %v", err)
	}
	r := &Report{Visit: read.Visit, Host: read.Host, Time: read.Time.UTC(), Client: read.Client, OS: read.OS,
		Arch: read.Arch, Hostname: read.Hostname}
	for _, s := range read.Statistics {
		r.Statistics = append(r.Statistics, Statistic{s.Name, s.Instance, s.Unit, s.Kind, s.Value + 0})
	}
	for _, failure := range read.Failures {
		r.Failures = append(r.Failures, Failure{failure.Source, failure.Reason})
	}
	for _, log := range read.Logs {
		r.Logs = append(r.Logs, log.logs())
	}
	return r
}

// otherLog is <log> as encoding/xml reads it.
type otherLog struct {
	Channel  string `xml:"channel,attr"`
	Epoch    int64  `xml:"epoch,attr"`
	Begun    string `xml:"begun,attr"`
	Why      string `xml:"why,attr"`
	Record   int64  `xml:"record,attr"`
	Position string `xml:"position,attr"`
	More     bool   `xml:"more,attr"`
	Gaps     []struct {
		Epoch    int64  `xml:"epoch,attr"`
		First    int64  `xml:"first,attr"`
		Last     int64  `xml:"last,attr"`
		Possible bool   `xml:"possible,attr"`
		Reason   string `xml:"reason,attr"`
	} `xml:"urn:muster:report:1 gap"`
	Records []struct {
		ID       int64     `xml:"id,attr"`
		Time     time.Time `xml:"time,attr"`
		Level    Level     `xml:"level,attr"`
		Event    int64     `xml:"event,attr"`
		Source   string    `xml:"source,attr"`
		Computer string    `xml:"computer,attr"`
		User     string    `xml:"user,attr"`
		Process  int64     `xml:"process,attr"`
		Keywords string    `xml:"keywords,attr"`
		Altered  bool      `xml:"altered,attr"`
		Message  string    `xml:"urn:muster:report:1 message"`
		Data     []struct {
			Name  string `xml:"name,attr"`
			Value string `xml:",chardata"`
		} `xml:"urn:muster:report:1 data"`
		Raw string `xml:"urn:muster:report:1 raw"`
	} `xml:"urn:muster:report:1 record"`
	Trouble *struct {
		Kind TroubleKind `xml:"kind,attr"`
		Text string      `xml:"text,attr"`
	} `xml:"urn:muster:report:1 trouble"`
}

func (o *otherLog) logs() Logs {
	l := Logs{Channel: o.Channel, Epoch: o.Epoch, Begun: o.Begun, Why: o.Why, More: o.More,
		Next: Cursor{o.Epoch, o.Record, o.Position}}
	for _, g := range o.Gaps {
		l.Gaps = append(l.Gaps, Gap(g))
	}
	for _, r := range o.Records {
		one := Record{ID: r.ID, Time: r.Time.UTC(), Level: r.Level, Event: r.Event, Source: r.Source, Computer: r.Computer,
			User: r.User, Process: r.Process, Keywords: r.Keywords, Message: r.Message, Raw: r.Raw, Altered: r.Altered}
		for _, f := range r.Data {
			one.Data = append(one.Data, Field(f))
		}
		l.Records = append(l.Records, one)
	}
	if o.Trouble != nil {
		l.Trouble = &Trouble{o.Trouble.Kind, o.Trouble.Text}
	}
	return l
}

// What Clean says can be sent arrives, and what it says can't is refused.
func FuzzClean(f *testing.F) {
	for _, r := range []*Report{typical(), awkward()} {
		for _, s := range r.Statistics {
			f.Add(s.Name, s.Instance, s.Unit, string(s.Kind), s.Value)
		}
	}
	f.Add("custom.thing", "a\x00b\u202e\xff", "1", "gauge", math.Inf(1))
	f.Add("Custom", strings.Repeat("é", 300), "", "", math.NaN())
	f.Fuzz(func(t *testing.T, name, instance, unit, kind string, value float64) {
		s, ok := Clean(Statistic{name, instance, unit, Kind(kind), value})
		if again, okAgain := Clean(s); ok && (again != s || !okAgain) {
			t.Errorf("cleaned twice, %+v is %+v", s, again)
		}
		r := typical()
		r.Statistics = []Statistic{s}
		document, err := r.Marshal()
		if ok != (err == nil) {
			t.Fatalf("Clean says %v of %+v, and Marshal %v", ok, s, err)
		}
		if !ok {
			return
		}
		got, err := Parse(document)
		if err != nil {
			t.Fatalf("%+v is refused: %v", s, err)
		}
		same(t, got, r)
	})
}

// Whatever a record holds, cleaned it can be sent and comes back as it is, and Size knew how large it would be.
func FuzzCleanRecord(f *testing.F) {
	for _, text := range texts() {
		f.Add(text, text, text, "", int64(0), int64(0))
	}
	f.Add("a\x00\xff\ufffe\r\n]]>", "<a>", "n\t", "audit-failure", int64(-1), int64(1<<40))
	f.Fuzz(func(t *testing.T, raw, value, name, level string, event, seconds int64) {
		given := Record{ID: 1, Time: time.Unix(seconds, 0), Level: Level(level), Event: event, User: name, Message: value,
			Data: []Field{{name, value}, {"", raw}}, Raw: raw}
		r := CleanRecord(given)
		if got, want := r.Size(), len(appendRecord(nil, &r)); got != want {
			t.Errorf("its size is %d, want %d", got, want)
		}
		if !r.Altered && (r.Raw != raw || r.Message != value || r.User != name) {
			t.Errorf("it was altered and does not say so: %+v", r)
		}
		report := typical()
		report.Logs = []Logs{{Channel: "c", Epoch: 1, Next: Cursor{Epoch: 1, Record: 1}, Records: []Record{r}}}
		document := marshal(t, report)
		got, err := Parse(document)
		if err != nil {
			t.Fatalf("it is refused: %v", err)
		}
		same(t, got, report)
		same(t, got, readOtherwise(t, document))
	})
}

// A request that is accepted says the same after it was encoded again, and nothing after its line is lost.
func FuzzReadRequest(f *testing.F) {
	f.Add(append(encode(f, fullRequest()), '\n'))
	f.Add([]byte(requestLine(plainRequest) + "rest"))
	for _, test := range badRequests() {
		f.Add([]byte(test.line))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		r := bytes.NewReader(input)
		request, err := ReadRequest(r)
		if err != nil {
			if request != nil {
				t.Error("a request beside an error")
			}
			return
		}
		if read := input[:len(input)-r.Len()]; bytes.IndexByte(read, '\n') != len(read)-1 {
			t.Errorf("%q was read, which is not a line", read)
		}
		line := encode(t, request)
		again, err := ReadRequest(bytes.NewReader(append(line, '\n')))
		if err != nil {
			t.Fatalf("what Encode wrote is refused: %v", err)
		}
		if second := encode(t, again); !bytes.Equal(second, line) {
			t.Errorf("two forms of one request:\n%s\n%s", line, second)
		}
	})
}

// FuzzRequestDocument reaches what is inside the base64, which FuzzReadRequest seldom does.
func FuzzRequestDocument(f *testing.F) {
	f.Add(plainRequest)
	f.Add(strings.Replace(plainRequest, "/>", ` deadline="1m" sample="1s" file="a"><source name="cpu"/><x/></request>`, 1))
	for _, test := range badRequests() {
		if document, err := base64.StdEncoding.DecodeString(strings.TrimSpace(test.line)); err == nil {
			f.Add(string(document))
		}
	}
	full, err := base64.StdEncoding.DecodeString(string(encode(f, fullRequest())))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(full))
	f.Fuzz(func(t *testing.T, document string) {
		request, err := ReadRequest(strings.NewReader(requestLine(document)))
		if err != nil {
			return
		}
		again, err := ReadRequest(bytes.NewReader(append(encode(t, request), '\n')))
		if err != nil {
			t.Fatalf("what Encode wrote is refused: %v", err)
		}
		if first, second := encode(t, request), encode(t, again); !bytes.Equal(first, second) {
			t.Errorf("two forms of one request:\n%s\n%s", first, second)
		}
	})
}

// What a frame delivers is what a frame was written of, whatever stands before and behind it.
func FuzzFrame(f *testing.F) {
	sealed := sealedReport(50)
	f.Add([]byte(frame(f, sealed)))
	f.Add([]byte("a banner\r\n" + strings.ReplaceAll(frame(f, sealed), "\n", "\r\n") + "logout"))
	f.Add([]byte("MUSTER1 3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad file\n"))
	f.Add([]byte("MUSTER1 99999999 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nYWJj\n"))
	f.Add([]byte("MUSTER1 3 BA78\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		r := bufio.NewReader(bytes.NewReader(input))
		header, err := ReadHeader(r)
		if err != nil {
			return
		}
		if header.Size < 1 || header.Size > MaxFrame || len(header.Noise) > maxKept {
			t.Fatalf("the header is out of bounds: %d bytes, %d of noise", header.Size, len(header.Noise))
		}
		if header.File {
			return
		}
		got, err := header.ReadBody(r)
		if err != nil {
			if got != nil {
				t.Error("a body beside an error")
			}
			return
		}
		if err := header.Check(got); err != nil {
			t.Error(err)
		}
		written := strings.TrimSpace(frame(t, got))
		if !strings.Contains(strings.ReplaceAll(string(input), "\r\n", "\n"), written) {
			t.Errorf("%q is not in the input", written)
		}
	})
}

// Whatever two readings say, rates are finite, not negative, and fit a report.
func FuzzRates(f *testing.F) {
	f.Add(0.0, 10.0, 5.0, 6.0, int64(time.Second), "disk.read")
	f.Add(1e308, 0.0, -1.0, math.MaxFloat64, int64(1), "custom.x")
	f.Add(math.Inf(1), math.NaN(), 5e-324, 1.0, int64(math.MaxInt64), "network.sent")
	f.Fuzz(func(t *testing.T, a, b, c, d float64, elapsed int64, name string) {
		earlier := []Statistic{counterOf(name, "x", "B", a), cpu("user", a), cpu("idle", c), cpu("nice", b)}
		later := []Statistic{counterOf(name, "x", "B", b), cpu("user", b), cpu("idle", d), cpu("nice", c)}
		seen := newSeen(8)
		for _, s := range Rates(earlier, later, time.Duration(elapsed)) {
			if s.Value < 0 || math.IsNaN(s.Value) || math.IsInf(s.Value, 0) || s.Unit == "%" && s.Value > 100 {
				t.Errorf("%+v", s)
			}
			if err := seen.add(&s); err != nil {
				t.Error(err)
			}
		}
	})
}
