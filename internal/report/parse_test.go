package report

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const opening = `<report xmlns="urn:muster:report:1" visit="v" host="h" time="2026-01-02T03:04:05Z" client="1" os="linux" arch="amd64">`

const uptimeStatistic = `<statistic name="uptime" unit="s" kind="gauge" value="1"/>`

// document is a report with something in its statistics and something after its failures.
func document(statistics, after string) string {
	return opening + "<statistics>" + statistics + "</statistics><failures/>" + after + "</report>"
}

const plainRecord = `<record id="1" time="2026-01-02T03:04:05Z"><message>m</message><data name="n">d</data><raw>r</raw></record>`

// channel is <logs> with one channel, its further attributes and what is in it.
func channel(attributes, inside string) string {
	return `<logs><log channel="Security" epoch="3" record="9"` + attributes + ">" + inside + "</log></logs>"
}

// accepted are documents that Parse takes; the schema takes them too unless the key says otherwise.
func accepted() map[string]string {
	valid := document(uptimeStatistic, "")
	return map[string]string{
		"plain":             valid,
		"declaration":       `<?xml version="1.0" encoding="utf-8" standalone="yes"?>` + "\n" + valid + "\n",
		"version alone":     `<?xml version='1.0' ?>` + valid,
		"comments":          "<!-- a -->" + document("<!-- - b -->"+uptimeStatistic, "<!---->") + "<!-- c -->\n",
		"end tags":          document(`<statistic name="uptime" unit="s" kind="gauge" value="1"> <!-- --> </statistic >`, ""),
		"quotes and spaces": document("<statistic\n name = 'uptime'\tunit='s' kind=\"gauge\" value='1' />", ""),
		"references":        document(`<statistic name="uptime" unit="&#115;" kind="&#x67;auge" value="1"/>`, ""),
		"empty instance":    document(`<statistic name="uptime" instance="" unit="s" kind="gauge" value="1"/>`, ""),
		"offset":            strings.Replace(valid, "05Z", "05.5+02:00", 1),
		"leap day":          strings.Replace(valid, "2026-01-02", "2024-02-29", 1),
		"numbers":           document(`<statistic name="uptime" unit="s" kind="gauge" value="-001.50E+01"/>`, ""),
		"newer attributes": strings.Replace(document(strings.Replace(uptimeStatistic, "/>", ` cpu="3" z:q="1" xmlns:z="z"/>`, 1), ""),
			`host="h"`, `host="h" region="eu" xmlns:z="urn:z" z:q="1"`, 1),
		"newer element after": document(uptimeStatistic,
			`<notes about="h"><note id="1">text &amp; <![CDATA[<more> ]]></note></notes><more/>`),
		"element of others": opening + `<statistics><statistic xmlns="urn:other"><statistic name="X"/></statistic>` + uptimeStatistic +
			`<z:s xmlns:z="urn:z" name="uptime" instance="">text</z:s></statistics><failures><failure xmlns="urn:other"/></failures><failures xmlns="urn:other"/></report>`,
		"newer content": document(strings.Replace(uptimeStatistic, "/>", `><threshold value="x"/></statistic>`, 1), ""),
		"no logs":       document(uptimeStatistic, "<logs/>"),
		"logs":          document(uptimeStatistic, channel("", plainRecord)),
		"empty channel": document(uptimeStatistic, `<logs><log channel="Security"></log></logs>`),
		"newer in logs": document(uptimeStatistic, `<logs z="1"><z:a xmlns:z="urn:z">x</z:a><log channel="S" epoch="1" record="9" x="">`+
			`<record id="1" time="2026-01-02T03:04:05Z" y="2"><z:b xmlns:z="urn:z"/><data z="1"/></record><gap epoch="1" first="2" reason="r"><x/></gap></log></logs>`),
		"record in any order": document(uptimeStatistic, channel("", `<record id="1" time="2026-01-02T03:04:05Z" altered="0">`+
			`<raw>a<!-- c -->b<![CDATA[<&]]>&lt;&#13;</raw><data/> <message/></record><gap epoch="1" first="1" last="1" possible="1" reason="r"/>`)),
		"line ends": document(uptimeStatistic, channel("", "<record id='1' time='2026-01-02T03:04:05Z'><raw>a\r\nb\rc<![CDATA[\r\n\r]]></raw></record>")),
		"not the schema: element of ours in a channel": document(uptimeStatistic, channel("", "<note/>"+plainRecord)),
		"not the schema: element of ours in a record": document(uptimeStatistic,
			channel("", strings.Replace(plainRecord, "<data", "<note>x</note><data", 1))),
		"not the schema: element of ours among statistics": document("<summary>1</summary>"+uptimeStatistic, ""),
		"not the schema: element of ours first":            strings.Replace(valid, "<statistics>", "<head/><statistics>", 1),
	}
}

func TestParseAccepts(t *testing.T) {
	for name, document := range accepted() {
		r, err := Parse([]byte(document))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(r.Statistics) != 1 || r.Statistics[0].Name != "uptime" || r.Statistics[0].Unit != "s" || r.Visit != "v" {
			t.Errorf("%s: got %s", name, show(r))
		}
	}
}

// refusal is a document that Parse refuses. The schema does, too, unless it can't know.
type refusal struct {
	document string
	want     string // in the error
	schema   bool   // the schema, or XML itself, refuses it as well
}

func refusals() map[string]refusal {
	valid := document(uptimeStatistic, "")
	with := func(old, new string) string { return strings.Replace(valid, old, new, 1) }
	deep := strings.Repeat("<a>", maxDepth) + strings.Repeat("</a>", maxDepth)
	var many strings.Builder
	for i := range maxAttributes + 1 {
		fmt.Fprintf(&many, ` a%d=""`, i)
	}
	return map[string]refusal{
		"nothing":             {"", "line 1, column 1: the document is empty", true},
		"space":               {" \n ", "line 2, column 2: the document is empty", true},
		"text":                {"hello", "column 1: text outside", true},
		"another document":    {"<a/>", "this is not a <report", true},
		"no namespace":        {with(` xmlns="urn:muster:report:1"`, ""), "this is not a <report", true},
		"another namespace":   {with("report:1", "report:2"), "this is not a <report", true},
		"a prefix":            {`<m:report xmlns:m="urn:muster:report:1"/>`, "this is not a <report", true},
		"a prefix inside":     {document(`<m:statistic xmlns:m="urn:muster:report:1"/>`, ""), "without a prefix", true},
		"a prefix outside":    {with("xmlns=", `xmlns:m="urn:muster:report:1" xmlns=`), "without a prefix", false},
		"cut":                 {valid[:len(valid)-3], "ends inside", true},
		"cut in a tag":        {valid[:len(opening)-5], "has no end", true},
		"cut in an element":   {valid[:len(valid)-9], "ends inside <report>", true},
		"trailing element":    {valid + "<a/>", "<a> comes after the end", true},
		"trailing text":       {valid + "\n a", "line 2, column 2: text outside", true},
		"document type":       {"<!DOCTYPE report>" + valid, "document types and entities are refused", false},
		"entity":              {`<!DOCTYPE r [<!ENTITY a "b">]>` + valid, "document types and entities are refused", false},
		"unknown reference":   {with(`host="h"`, `host="&h;"`), `"&h" is not a reference`, true},
		"open reference":      {with(`host="h"`, `host="&amp"`), "is not a reference", true},
		"reference to NUL":    {with(`host="h"`, `host="&#0;"`), "is not a reference", true},
		"surrogate":           {with(`host="h"`, `host="&#xD800;"`), "is not a reference", true},
		"bare ampersand":      {document("", "<notes>a & b</notes>"), "is not a reference", true},
		"instruction":         {`<?php x?>` + valid, "processing instructions are refused", false},
		"late declaration":    {"\n<?xml version=\"1.0\"?>" + valid, "processing instructions are refused", true},
		"encoding":            {`<?xml version="1.0" encoding="UTF-16"?>` + valid, `encoding "UTF-16" is not UTF-8`, true},
		"XML 1.1":             {`<?xml version="1.1"?>` + valid, `version "1.1" is not 1.0`, false},
		"no version":          {`<?xml encoding="UTF-8"?>` + valid, "does not belong here", true},
		"empty declaration":   {`<?xml ?>` + valid, "has no version", true},
		"declaration order":   {`<?xml version="1.0" standalone="no" encoding="UTF-8"?>` + valid, "does not belong here", true},
		"standalone":          {`<?xml version="1.0" standalone="maybe"?>` + valid, "neither yes nor no", true},
		"byte order mark":     {"\uFEFF" + valid, "text outside", false},
		"NUL":                 {with("h", "\x00"), "that XML forbids", true},
		"control":             {document("", "<notes>\x1b</notes>"), "that XML forbids", true},
		"not UTF-8":           {with(`"h"`, "\"\xe4\""), "not UTF-8", true},
		"no character":        {with(`"h"`, "\"\uFFFF\""), "that XML forbids", true},
		"wrong end":           {with("</statistics>", "</failures>"), "</failures> ends nothing", true},
		"end alone":           {"</report>", "ends nothing", true},
		"attribute twice":     {with(`host="h"`, `host="h" host="i"`), "attribute host stands twice", true},
		"no value":            {with(`host="h"`, `host`), "attribute host has no value", true},
		"no quotes":           {with(`host="h"`, `host=h`), "is not quoted", true},
		"no space":            {with(`visit="v" host`, `visit="v"host`), "is not complete", true},
		"less than":           {with(`host="h"`, `host="<"`), "< in the value", true},
		"bad name":            {document("<1/>", ""), "a name is missing", true},
		"two colons":          {document("", "<a:b:c/>"), "a name is missing", false},
		"end of CDATA":        {document("", "<notes>]]></notes>"), "]]> in text", true},
		"open CDATA":          {document("", "<notes><![CDATA[</notes>"), "no end", true},
		"CDATA outside":       {valid + "<![CDATA[]]>", "outside", true},
		"open comment":        {valid + "<!-- ", "a comment has no end", true},
		"dashes in comment":   {valid + "<!-- -- -->", "-- inside a comment", true},
		"text among ours":     {document("12", ""), "text does not belong here", true},
		"CDATA among ours":    {document("<![CDATA[x]]>", ""), "text does not belong here", true},
		"text in a statistic": {document(strings.Replace(uptimeStatistic, "/>", ">1</statistic>", 1), ""), "text does not", true},
		"depth":               {document("", deep), "deeper than 32", false},
		"attributes":          {document("", "<a"+many.String()+"/>"), "more than 32 attributes", false},

		"no visit":                {with(` visit="v"`, ""), "<report> has no visit", true},
		"no time":                 {with(` time="2026-01-02T03:04:05Z"`, ""), "<report> has no time", true},
		"empty host":              {with(`host="h"`, `host=""`), "<report> has no host", true},
		"long host":               {with(`host="h"`, `host="`+strings.Repeat("h", 256)+`"`), "attribute host: it is longer", true},
		"control in host":         {with(`host="h"`, `host="&#x85;"`), "control character U+0085", true},
		"tab in host":             {with(`host="h"`, `host="&#9;"`), "control character U+0009", true},
		"direction in host":       {with(`host="h"`, "host=\"\u202e\""), "control character U+202E", true},
		"time":                    {with("T03:04:05Z", ""), "it is not a time", true},
		"time without zone":       {with("05Z", "05"), "it is not a time", true},
		"lower-case time":         {with("05Z", "05z"), "it is not a time", true},
		"comma in time":           {with("05Z", "05,5Z"), "it is not a time", true},
		"no such day":             {with("2026-01-02", "2026-02-30"), "it is not a time", true},
		"hour 24":                 {with("T03:04:05", "T24:00:00"), "it is not a time", true},
		"too fine a time":         {with("05Z", "05.1234567891Z"), "it is not a time", true},
		"too far a zone":          {with("05Z", "05+14:30"), "it is not a time", true},
		"too fine with zone":      {with("05Z", "05.1234567891+01:00"), "it is not a time", true},
		"early":                   {with("2026", "1969"), "1970 to 9999", true},
		"no statistics":           {opening + "<failures/></report>", "<failures> before <statistics>", true},
		"no failures":             {opening + "<statistics/></report>", "does not hold both", true},
		"statistics twice":        {with("<statistics>", "<statistics/><statistics>"), "<statistics> stands twice", true},
		"failures twice":          {document("", "<failures/>"), "<failures> stands twice", false},
		"statistic twice":         {document(uptimeStatistic+uptimeStatistic, ""), "there twice", true},
		"missing name":            {document(`<statistic unit="s" kind="gauge" value="1"/>`, ""), "<statistic> has no name", true},
		"missing value":           {document(`<statistic name="uptime" unit="s" kind="gauge"/>`, ""), "<statistic> has no value", true},
		"NaN":                     {with(`value="1"`, `value="NaN"`), "attribute value: it is not a finite number", true},
		"infinity":                {with(`value="1"`, `value="-INF"`), "attribute value: it is not a finite number", true},
		"beyond a double":         {with(`value="1"`, `value="1e999"`), "attribute value: it is not a finite number", false},
		"hexadecimal":             {with(`value="1"`, `value="0x10"`), "attribute value: it is not a finite number", true},
		"unit of catalogue":       {with(`unit="s"`, `unit="ms"`), `statistic "uptime": the unit of uptime is s`, false},
		"kind of catalogue":       {with(`kind="gauge"`, `kind="counter"`), `statistic "uptime": uptime is a gauge`, false},
		"kind":                    {with(`kind="gauge"`, `kind="Gauge"`), "uptime is a gauge", true},
		"reserved":                {with(`name="uptime" unit="s"`, `name="visit.failed" unit="1"`), "the server's own", false},
		"logs twice":              {document("", "<logs/><logs/>"), "<logs> stands twice", false},
		"logs before failures":    {with("<failures/>", "<logs/><failures/>"), "<logs> stands twice, or before", true},
		"text among channels":     {document("", "<logs>x</logs>"), "text does not belong here", true},
		"no channel":              {document("", "<logs><log/></logs>"), "the channel: it is empty", true},
		"channel twice":           {document("", `<logs><log channel="a"/><log channel="a"/></logs>`), `channel "a" is there twice`, true},
		"channel with a line end": {document("", `<logs><log channel="a&#10;"/></logs>`), "the channel: it holds the control", true},
		"negative epoch":          {document("", `<logs><log channel="a" epoch="-1"/></logs>`), "attribute epoch: it is not a number", true},
		"epoch beyond 63 bits":    {document("", `<logs><log channel="a" epoch="9223372036854775808"/></logs>`), "attribute epoch: it is not a number", true},
		"epoch in hexadecimal":    {document("", `<logs><log channel="a" epoch="0x1"/></logs>`), "attribute epoch: it is not a number", true},
		"more":                    {document("", channel(` more="yes"`, "")), "attribute more: it is neither true nor false", true},
		"position":                {document("", channel(` position="`+strings.Repeat("p", MaxPosition+1)+`"`, "")), "longer than 1000 bytes", true},
		"identity":                {document("", channel(` begun="`+strings.Repeat("é", 251)+`"`, "")), "longer than 500 bytes", false},
		"why without an epoch":    {document("", channel(` why="x"`, "")), "none did", false},
		"cursor without an epoch": {document("", `<logs><log channel="a" record="1"/></logs>`), "no record without an epoch", false},
		"records of no epoch":     {document("", `<logs><log channel="a">`+plainRecord+`</log></logs>`), "there are records, of no epoch", false},
		"cursor before a record":  {document("", channel("", strings.Replace(plainRecord, `"1"`, `"10"`, 1))), "before the last record", false},
		"record twice":            {document("", channel("", plainRecord+plainRecord)), "record 1 comes after record 1", true},
		"ids that descend":        {document("", channel("", strings.Replace(plainRecord, `"1"`, `"2"`, 1)+plainRecord)), "record 1 comes after record 2", false},
		"id 0":                    {document("", channel("", strings.Replace(plainRecord, `"1"`, `"0"`, 1))), "ids begin at 1", true},
		"no id":                   {document("", channel("", `<record time="2026-01-02T03:04:05Z"/>`)), "ids begin at 1", true},
		"no time of a record":     {document("", channel("", `<record id="1"/>`)), "<record> has no time", true},
		"year of a record":        {document("", channel("", strings.Replace(plainRecord, "2026", "1601", 1))), "1970 to 9999", true},
		"year 10000":              {document("", channel("", strings.Replace(plainRecord, "2026", "10000", 1))), "it is not a time", true},
		"level":                   {document("", channel("", strings.Replace(plainRecord, " time", ` level="loud" time`, 1))), `no level "loud"`, true},
		"event":                   {document("", channel("", strings.Replace(plainRecord, " time", ` event="4294967296" time`, 1))), "between 0 and 4294967295", true},
		"process":                 {document("", channel("", strings.Replace(plainRecord, " time", ` process="1.5" time`, 1))), "attribute process: it is not a number", true},
		"altered":                 {document("", channel("", strings.Replace(plainRecord, " time", ` altered="" time`, 1))), "attribute altered: it is neither", true},
		"direction in a user":     {document("", channel("", strings.Replace(plainRecord, " time", " user=\"\u202e\" time", 1))), "the user: it holds the control", true},
		"line end in a name":      {document("", channel("", strings.Replace(plainRecord, `"n"`, `"&#10;"`, 1))), "attribute name: it holds the control", true},
		"message twice":           {document("", channel("", strings.Replace(plainRecord, "<raw>", "<message/><raw>", 1))), "<message> stands twice", false},
		"raw twice":               {document("", channel("", strings.Replace(plainRecord, "<raw>", "<raw/><raw>", 1))), "<raw> stands twice", false},
		"element in raw":          {document("", channel("", strings.Replace(plainRecord, "<raw>", "<raw><a/>", 1))), "only text belongs into <raw>", true},
		"instruction in raw":      {document("", channel("", strings.Replace(plainRecord, "<raw>", "<raw><?a?>", 1))), "only text belongs into <raw>", false},
		"document cut in raw":     {opening + "<statistics/><failures/>" + channel("", plainRecord)[:strings.Index(channel("", plainRecord), "r</raw>")+1], "ends inside <raw>", true},
		"CDATA cut in raw":        {document("", channel("", `<record id="1" time="2026-01-02T03:04:05Z"><raw><![CDATA[`)), "a CDATA section has no end", true},
		"]]> in raw":              {document("", channel("", strings.Replace(plainRecord, "<raw>", "<raw>]]>", 1))), "]]> in text", true},
		"reference in raw":        {document("", channel("", strings.Replace(plainRecord, "<raw>", "<raw>&#0;", 1))), "is not a reference", true},
		"text in a record":        {document("", channel("", strings.Replace(plainRecord, "<raw>", "x<raw>", 1))), "text does not belong here", true},
		"long message":            {document("", channel("", strings.Replace(plainRecord, "<message>", "<message>"+strings.Repeat("x", MaxMessage), 1))), "<message> holds more than 32768 bytes", true},
		"long in parts":           {document("", channel("", strings.Replace(plainRecord, "<data", "<data>"+strings.Repeat("<![CDATA[x]]>", MaxField+1)+"</data><data", 1))), "<data> holds more than 32768 bytes", true},
		"many pieces of data":     {document("", channel("", strings.Replace(plainRecord, "<data", strings.Repeat("<data/>", MaxFields)+"<data", 1))), "more than 200 pieces of data", false},
		"gap without an epoch":    {document("", channel("", `<gap first="1" reason="r"/>`)), "a gap has no epoch", true},
		"gap that ends early":     {document("", channel("", `<gap epoch="1" first="2" last="1" reason="r"/>`)), "ends before it begins", false},
		"gap without a reason":    {document("", channel("", `<gap epoch="1" first="2"/>`)), "the reason of a gap: it is empty", true},
		"many gaps":               {document("", channel("", strings.Repeat(`<gap epoch="1" first="2" reason="r"/>`, MaxGaps+1))), "more than 100 gaps", false},
		"trouble twice":           {document("", channel("", strings.Repeat(`<trouble kind="slow" text="t"/>`, 2))), "<trouble> stands twice", false},
		"trouble":                 {document("", channel("", `<trouble kind="odd" text="t"/>`)), `no trouble of the kind "odd"`, true},
		"trouble without a text":  {document("", channel("", `<trouble kind="slow"/>`)), "the text of the trouble: it is empty", true},

		"failure no reason":  {opening + `<statistics/><failures><failure source="cpu"/></failures></report>`, "the reason: it is empty", true},
		"failure bad source": {opening + `<statistics/><failures><failure source="C" reason="x"/></failures></report>`, "the source", true},
	}
}

func TestParseRefuses(t *testing.T) {
	for name, test := range refusals() {
		r, err := Parse([]byte(test.document))
		var parse *ParseError
		switch {
		case err == nil || r != nil:
			t.Errorf("%s: accepted as %s", name, show(r))
		case !errors.As(err, &parse) || parse.Line < 1 || parse.Column < 1 || parse.Document != "report":
			t.Errorf("%s: the error has no position: %v", name, err)
		case !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: got the error %v, want %q in it", name, err, test.want)
		}
	}
}

// What is in the channels is bounded over all of them.
func TestLogsAreBounded(t *testing.T) {
	log := func(n int, records string) string {
		return fmt.Sprintf(`<log channel="%d" epoch="1" record="99999">%s</log>`, n, records)
	}
	records := func(from, n int, inside string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `<record id="%d" time="2026-01-02T03:04:05Z">%s</record>`, from+i, inside)
		}
		return b.String()
	}
	var channels strings.Builder
	for i := range MaxChannels + 1 {
		channels.WriteString(log(i, ""))
	}
	section := "<![CDATA[" + strings.Repeat("<", 100<<10) + "]]>"
	for want, logs := range map[string]string{
		"more than 32 channels":  channels.String(),
		"more than 5000 records": log(1, records(1, MaxRecords/2, "")) + log(2, records(1, MaxRecords/2+1, "")),
		"31 records of":          log(1, records(1, 20, "<raw>"+section+"</raw>")) + log(2, records(1, 20, "<raw>"+section+"</raw>")),
		"record 3: 3":            log(1, records(1, 2, "")+records(3, 1, strings.Repeat("<data>"+strings.Repeat("&#13;", MaxField/5)+"</data>", 12))),
	} {
		_, err := Parse([]byte(document("", "<logs>"+logs+"</logs>")))
		var parse *ParseError
		if !errors.As(err, &parse) || !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want %q in it", err, want)
		}
	}
	full := document("", "<logs>"+log(1, records(1, MaxRecords, ""))+"</logs>")
	if r, err := Parse([]byte(full)); err != nil || len(r.Logs[0].Records) != MaxRecords {
		t.Errorf("as many as may be: %v", err)
	}
}

func TestErrorsSayWhere(t *testing.T) {
	text := opening + "\n <statistics>\n  <!-- é --><statistic name=\"uptime\" unit=\"s\" kind=\"gauge\" value=\"x\"/>"
	_, err := Parse([]byte(text))
	want := "report: line 3, column 67: attribute value: it is not a finite number like 12.5 or 1.5e9"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// What a stranger wrote is quoted in an error, and not at length.
func TestErrorsQuote(t *testing.T) {
	name := strings.Repeat("\u202e\u001b", 500)
	for _, s := range []Statistic{{name, "", "1", Gauge, 1}, {"uptime", name, "s", Gauge, 1}} {
		r := typical()
		r.Statistics = []Statistic{s}
		_, err := r.Marshal()
		if err == nil || strings.ContainsAny(err.Error(), "\u202e\u001b") || len(err.Error()) > 600 {
			t.Errorf("the error is %q", err)
		}
	}
}

func TestParseIsBounded(t *testing.T) {
	if _, err := Parse(make([]byte, MaxDocument+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got the error %v for a document beyond the bound", err)
	}
	full := document("", strings.Repeat(" ", MaxDocument-len(document("", ""))))
	if _, err := Parse([]byte(full)); err != nil {
		t.Errorf("a document of just the bound: %v", err)
	}
	var b strings.Builder
	for i := range MaxStatistics + 1 {
		fmt.Fprintf(&b, `<statistic name="a" instance="%d" unit="1" kind="gauge" value="1"/>`, i)
	}
	if _, err := Parse([]byte(document(b.String(), ""))); err == nil || !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "more than 20000 statistics") {
		t.Errorf("got the error %v for a statistic more than allowed", err)
	}
	failures := strings.Repeat(`<failure source="a" reason="b"/>`, MaxFailures+1)
	_, err := Parse([]byte(opening + "<statistics/><failures>" + failures + "</failures></report>"))
	if err == nil || !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "more than 1000 failures") {
		t.Errorf("got the error %v for a failure more than allowed", err)
	}
}

// Each character at each place among plain ones, where eight are looked at in one step.
func TestForbiddenByte(t *testing.T) {
	for c := range rune(0x300) {
		for place := range 24 {
			text := strings.Repeat("x", place) + string(c) + strings.Repeat("~", 9)
			want := -1
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
				want = place
			}
			if got := forbiddenByte(text); got != want {
				t.Fatalf("%U at %d: got %d, want %d", c, place, got, want)
			}
		}
	}
	for c := range 0x80 {
		for place := range 24 {
			if got := forbiddenByte(strings.Repeat("x", place) + string([]byte{byte(c + 0x80)}) + strings.Repeat(" ", 9)); got != place {
				t.Fatalf("%#x at %d: got %d", c+0x80, place, got)
			}
		}
	}
}
