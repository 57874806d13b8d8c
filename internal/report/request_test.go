package report

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func fullRequest() *Request {
	r := &Request{
		Visit:    "01J9ZK3T5V8Q",
		Host:     `db "1" <Zürich> & co`,
		Deadline: 90 * time.Second,
		Sample:   250 * time.Millisecond,
		File:     "report-01J9ZK3T5V8Q.bin",
		Sources:  []string{"cpu", "memory", "disk"},
	}
	r.Part, r.Records, r.Bytes = 2, 1000, 256<<10
	r.Logs = []LogRequest{
		{Channel: "Security", Raw: true, Messages: true, Since: time.Hour, Fresh: 4, Cursor: Cursor{3, 229977, `h="1"`}, Begun: Epoch{4, "<S>"},
			Filter: Filter{Events: Events{{1102, 1102, false}, {4624, 4625, false}, {4634, 4634, true}}, Levels: []Level{Error, AuditFailure},
				Providers: []string{"a, b", "!c"}, XPath: `*[System[(EventID=4625)] and EventData[Data[@Name="x"]='<y>']]`}},
		{Channel: "file:/var/log/auth.log", Since: SinceAll, Fresh: 1},
	}
	for i := range r.Key {
		r.Key[i] = byte(255 - i)
	}
	for i := range r.Nonce {
		r.Nonce[i] = byte(i)
	}
	return r
}

func encode(t testing.TB, r *Request) []byte {
	t.Helper()
	line, err := r.Encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return line
}

// requestLine is a line that holds the XML.
func requestLine(document string) string {
	return base64.StdEncoding.EncodeToString([]byte(document)) + "\n"
}

const (
	plainRequest = `<request xmlns="urn:muster:request:1" visit="v" host="h" key="` + plainKey + `" nonce="000102030405060708090a0b"/>`
	plainLogs    = `<logs channel="Security" fresh="1"/>`
	plainKey     = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
)

func TestEncodeThenReadRequest(t *testing.T) {
	for _, want := range []*Request{fullRequest(), {Visit: "v", Host: "h"}} {
		line := encode(t, want)
		if bytes.ContainsAny(line, "\r\n ") {
			t.Errorf("%q is more than one line", line)
		}
		for _, end := range []string{"\n", "\r\n"} {
			got, err := ReadRequest(strings.NewReader(string(line) + end))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %v with %d sources, want %v", got, len(got.Sources), want)
			}
		}
	}
}

func TestRequestHasOneForm(t *testing.T) {
	document, err := base64.StdEncoding.DecodeString(string(encode(t, fullRequest())))
	if err != nil {
		t.Fatal(err)
	}
	want := `<request xmlns="urn:muster:request:1" visit="01J9ZK3T5V8Q" host="db &quot;1&quot; &lt;Zürich&gt; &amp; co"` +
		` key="fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0" nonce="000102030405060708090a0b"` +
		` deadline="1m30s" sample="250ms" file="report-01J9ZK3T5V8Q.bin" part="2" records="1000" bytes="262144">` +
		`<source name="cpu"/><source name="memory"/><source name="disk"/>` +
		`<logs channel="Security" events="1102,4624-4625,!4634" levels="error audit-failure"` +
		` xpath="*[System[(EventID=4625)] and EventData[Data[@Name=&quot;x&quot;]='&lt;y&gt;']]" raw="true" messages="true" since="1h0m0s"` +
		` epoch="3" record="229977" position="h=&quot;1&quot;" fresh="4" begun="4" identity="&lt;S&gt;">` +
		`<provider name="a, b"/><provider name="!c"/></logs>` +
		`<logs channel="file:/var/log/auth.log" since="all" fresh="1"></logs></request>`
	if string(document) != want {
		t.Errorf("got\n%s\nwant\n%s", document, want)
	}
}

// The client goes on reading its input, whose end tells it to stop: what follows the line must still be there.
func TestReadRequestLeavesWhatFollows(t *testing.T) {
	line := string(encode(t, fullRequest())) + "\n"
	buffered := bufio.NewReader(strings.NewReader(line + "rest"))
	plain := io.MultiReader(iotest.OneByteReader(strings.NewReader(line)), strings.NewReader("rest"))
	whole := struct{ io.Reader }{strings.NewReader(line + "rest")}
	for name, r := range map[string]io.Reader{"buffered": buffered, "byte by byte": plain, "all at once": whole} {
		if _, err := ReadRequest(r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if rest, err := io.ReadAll(r); err != nil || string(rest) != "rest" {
			t.Errorf("%s: what follows is %q, %v", name, rest, err)
		}
	}
}

// The line's end is enough: a server keeps the client's input open.
func TestReadRequestDoesNotWaitForTheEnd(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	go fmt.Fprintf(w, "%s\n", encode(t, fullRequest())) // ends when the line is read, or the pipe is closed
	if _, err := ReadRequest(bufio.NewReader(r)); err != nil {
		t.Fatal(err)
	}
	r.Close()
}

func TestReadRequestAccepts(t *testing.T) {
	for name, document := range map[string]string{
		"plain":       plainRequest,
		"declaration": `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + plainRequest,
		"upper case":  strings.Replace(plainRequest, "aabb", "AABB", 1),
		"newer": strings.Replace(plainRequest, "/>",
			` priority="1"><notes about="h"><note>12</note></notes><source name="cpu" since="1"><x/></source></request>`, 1),
	} {
		r, err := ReadRequest(strings.NewReader(requestLine(document)))
		if err != nil || r.Visit != "v" || r.Host != "h" || r.Key[1] != 0x11 || r.Nonce[11] != 0x0b {
			t.Errorf("%s: got %v, %v", name, r, err)
		}
		if name == "newer" && !reflect.DeepEqual(r.Sources, []string{"cpu"}) {
			t.Errorf("newer: the sources are %q", r.Sources)
		}
	}
}

// badRequests are lines that ReadRequest refuses, with what its error says.
func badRequests() map[string]struct{ line, want string } {
	type bad = struct{ line, want string }
	with := func(old, new string) string { return requestLine(strings.Replace(plainRequest, old, new, 1)) }
	sources := func(n int, name string) string {
		return with("/>", ">"+strings.Repeat(`<source name="`+name+`"/>`, n)+"</request>")
	}
	logs := func(logs string) string { return with("/>", ">"+logs+"</request>") }
	return map[string]bad{
		"nothing":               {"", "none came before the end"},
		"no line end":           {strings.TrimSpace(requestLine(plainRequest)), "ended inside it"},
		"empty line":            {"\n", "the document is empty"},
		"not base64":            {"<request/>\n", "not base64"},
		"cut base64":            {requestLine(plainRequest)[1:], "not base64"},
		"loose base64":          {"QR==\n", "not base64"},
		"a report":              {requestLine(document("", "")), `this is not a <request`},
		"no visit":              {with(` visit="v"`, ""), "<request> has no visit"},
		"no key":                {with("key=", "quay="), "<request> has no key"},
		"no nonce":              {with("nonce=", "once="), "<request> has no nonce"},
		"short key":             {with("00112233", "112233"), "attribute key: it is not 32 bytes in hexadecimal"},
		"long key":              {with("00112233", "0000112233"), "attribute key: it is not 32 bytes"},
		"bad key":               {with("0011223", "0011x23"), "attribute key: it is not 32 bytes"},
		"short nonce":           {with("000102", "0102"), "attribute nonce: it is not 12 bytes"},
		"deadline":              {with("/>", ` deadline="30"/>`), "attribute deadline: it is not a duration"},
		"no deadline":           {with("/>", ` deadline="0s"/>`), "attribute deadline: it is not a duration"},
		"long deadline":         {with("/>", ` deadline="25h"/>`), "is not between 0 and 24h"},
		"negative sample":       {with("/>", ` sample="-1s"/>`), "attribute sample: it is not a duration"},
		"long sample":           {with("/>", ` sample="2h"/>`), "is not between 0 and 1h"},
		"control in host":       {with(`"h"`, `"&#10;"`), "host: it holds the control character"},
		"empty host":            {with(`"h"`, `""`), "host: it is empty"},
		"source":                {sources(1, "CPU"), `source "CPU": it is not made of`},
		"source no name":        {with("/>", "><source/></request>"), "<source> has no name"},
		"sources":               {sources(MaxSources+1, "cpu"), "more than 100 sources"},
		"text":                  {with("/>", ">x</request>"), "text does not belong here"},
		"part":                  {with("/>", ` part="-1"/>`), "attribute part: it is not a number from 0"},
		"records":               {with("/>", ` records="5001"/>`), "attribute records: it is not a number from 0 to 5000"},
		"bytes":                 {with("/>", ` bytes="3145729"/>`), "attribute bytes: it is not a number from 0 to 3145728"},
		"channels":              {logs(strings.Repeat(plainLogs, MaxChannels+1)), "more than 32 channels"},
		"channel twice":         {logs(plainLogs + plainLogs), `channel "Security" is there twice`},
		"no channel":            {logs(`<logs fresh="1"/>`), "it is empty"},
		"no fresh epoch":        {logs(`<logs channel="a"/>`), "not greater than that of the cursor"},
		"fresh is not fresh":    {logs(`<logs channel="a" epoch="2" fresh="2"/>`), "not greater than that of the cursor"},
		"events":                {logs(`<logs channel="a" fresh="1" events="1,x"/>`), "attribute events: event ids are numbers"},
		"levels":                {logs(`<logs channel="a" fresh="1" levels="error loud"/>`), `attribute levels: there is no level "loud"`},
		"many levels":           {logs(`<logs channel="a" fresh="1" levels="` + strings.Repeat("error ", 12) + `"/>`), "more than 11 levels"},
		"raw":                   {logs(`<logs channel="a" fresh="1" raw="no"/>`), "attribute raw: it is neither"},
		"since":                 {logs(`<logs channel="a" fresh="1" since="-1h"/>`), "attribute since: it is not a duration"},
		"long since":            {logs(`<logs channel="a" fresh="1" since="1000000h"/>`), "is not between 0 and"},
		"long xpath":            {logs(`<logs channel="a" fresh="1" xpath="` + strings.Repeat("*", MaxXPath+1) + `"/>`), "the XPath: it is longer"},
		"record of no epoch":    {logs(`<logs channel="a" fresh="1" record="1"/>`), "no record without an epoch"},
		"position of a request": {logs(`<logs channel="a" fresh="1" position="&#10;"/>`), "the position: it holds"},
		"begun without a name":  {logs(`<logs channel="a" fresh="1" begun="1"/>`), "a number and an identity, or neither"},
		"provider no name":      {logs(`<logs channel="a" fresh="1"><provider/></logs>`), "<provider> has no name"},
		"provider":              {logs(`<logs channel="a" fresh="1"><provider name="!"/></logs>`), "a provider: it is empty"},
		"providers":             {logs(`<logs channel="a" fresh="1">` + strings.Repeat(`<provider name="p"/>`, 101) + `</logs>`), "more than 100 providers"},
		"trailing":              {requestLine(plainRequest + "<a/>"), "after the end"},
	}
}

func TestReadRequestRefuses(t *testing.T) {
	for name, test := range badRequests() {
		r, err := ReadRequest(strings.NewReader(test.line))
		if err == nil || r != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got the error %v, want %q in it", name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "112233") {
			t.Errorf("%s: the key is in the error %v", name, err)
		}
	}
}

func TestFileNames(t *testing.T) {
	for _, name := range []string{"r", ".hidden", "report-1.bin", "A_b", strings.Repeat("x", MaxFile)} {
		if err := checkFile(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "../x", "C:x", "a b", "x.", "-rf", "x\x00", "é", "NUL:",
		strings.Repeat("x", MaxFile+1)} {
		if err := checkFile(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
		r := fullRequest()
		r.File = name
		if _, err := r.Encode(); err == nil && name != "" {
			t.Errorf("a request with the file %q is encoded", name)
		}
	}
	line := requestLine(strings.Replace(plainRequest, "/>", ` file="../x"/>`, 1))
	if _, err := ReadRequest(strings.NewReader(line)); err == nil || !strings.Contains(err.Error(), "attribute file") {
		t.Errorf("got the error %v for a file in another folder", err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for want, change := range map[string]func(*Request){
		"visit: it is empty":    func(r *Request) { r.Visit = "" },
		"host: it is empty":     func(r *Request) { r.Host = "" },
		"the deadline":          func(r *Request) { r.Deadline = -1 },
		"the deadline 24h0m0.0": func(r *Request) { r.Deadline = MaxDeadline + 1e6 },
		"the sample":            func(r *Request) { r.Sample = MaxSample + 1 },
		"101 sources":           func(r *Request) { r.Sources = make([]string, MaxSources+1) },
		`source "": it is not`:  func(r *Request) { r.Sources = []string{""} },
	} {
		r := fullRequest()
		change(r)
		if line, err := r.Encode(); err == nil || line != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want %q in it", err, want)
		}
	}
}

func TestReadRequestIsBounded(t *testing.T) {
	endless := &counter{Reader: forever("A")}
	if _, err := ReadRequest(endless); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got the error %v for a line without an end", err)
	}
	if endless.n > MaxRequest+2 {
		t.Errorf("%d bytes were read", endless.n)
	}
	document := plainRequest + strings.Repeat(" ", base64.StdEncoding.DecodedLen(MaxRequest)-len(plainRequest))
	line := requestLine(document)
	if len(line) != MaxRequest+1 {
		t.Fatalf("the line has %d bytes", len(line))
	}
	if _, err := ReadRequest(strings.NewReader(strings.TrimSpace(line) + "\r\n")); err != nil {
		t.Errorf("a line of just the bound: %v", err)
	}
}

func TestReadRequestReturnsTheReadersError(t *testing.T) {
	broken := errors.New("broken")
	if _, err := ReadRequest(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got the error %v", err)
	}
	for _, input := range []string{"", "PHJl"} {
		if _, err := ReadRequest(strings.NewReader(input)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got the error %v for %q", err, input)
		}
	}
}

func TestRequestDoesNotPrintItsKey(t *testing.T) {
	r := fullRequest()
	for _, text := range []string{fmt.Sprint(r), fmt.Sprint(*r), fmt.Sprintf("%+v %#v %s", r, *r, r)} {
		if strings.Contains(text, "254") || strings.Contains(text, "fe") || !strings.Contains(text, r.Visit) {
			t.Errorf("it is printed as %s", text)
		}
	}
}

// forever is a reader without an end.
type forever string

func (f forever) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = f[i%len(f)]
	}
	return len(p), nil
}

// counter counts what is read.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func BenchmarkReadRequest(b *testing.B) {
	line := append(encode(b, fullRequest()), '\n')
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadRequest(bytes.NewReader(line)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeRequest(b *testing.B) {
	r := fullRequest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}
