package report

import (
	"strconv"
	"strings"
	"time"
)

// appendLogs writes <logs>, which is not there where no channel is.
func appendLogs(b []byte, logs []Logs) []byte {
	if len(logs) == 0 {
		return b
	}
	b = append(b, "  <logs>\n"...)
	for i := range logs {
		b = appendLog(b, &logs[i])
	}
	return append(b, "  </logs>\n"...)
}

// logsSize returns about how many bytes appendLogs writes, for making room.
func logsSize(logs []Logs) int {
	size := 0
	for i := range logs {
		size += 512 + 256*len(logs[i].Gaps)
		for j := range logs[i].Records {
			size += logs[i].Records[j].Size()
		}
	}
	return size
}

func appendLog(b []byte, l *Logs) []byte {
	b = append(b, "    <log"...)
	b = appendAttribute(b, "channel", l.Channel)
	b = appendCount(b, "epoch", l.Epoch)
	b = appendOptional(b, "begun", l.Begun)
	b = appendOptional(b, "why", l.Why)
	b = appendCount(b, "record", l.Next.Record)
	b = appendOptional(b, "position", l.Next.Position)
	b = appendFlag(b, "more", l.More)
	b = append(b, ">\n"...)
	for i := range l.Gaps {
		b = appendGap(b, &l.Gaps[i])
	}
	for i := range l.Records {
		b = appendRecord(b, &l.Records[i])
	}
	if t := l.Trouble; t != nil {
		b = append(b, "      <trouble"...)
		b = appendAttribute(b, "kind", string(t.Kind))
		b = appendAttribute(b, "text", t.Text)
		b = append(b, "/>\n"...)
	}
	return append(b, "    </log>\n"...)
}

func appendGap(b []byte, g *Gap) []byte {
	b = append(b, "      <gap"...)
	b = appendCount(b, "epoch", g.Epoch)
	b = appendCount(b, "first", g.First)
	b = appendCount(b, "last", g.Last)
	b = appendFlag(b, "possible", g.Possible)
	b = appendAttribute(b, "reason", g.Reason)
	return append(b, "/>\n"...)
}

// appendRecord writes a record, all of it on as many lines as its texts have.
func appendRecord(b []byte, r *Record) []byte {
	b = append(b, "      <record id=\""...)
	b = strconv.AppendInt(b, r.ID, 10)
	b = append(b, "\" time=\""...)
	b = r.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	b = appendOptional(b, "level", string(r.Level))
	b = appendCount(b, "event", r.Event)
	b = appendOptional(b, "source", r.Source)
	b = appendOptional(b, "computer", r.Computer)
	b = appendOptional(b, "user", r.User)
	b = appendCount(b, "process", r.Process)
	b = appendOptional(b, "keywords", r.Keywords)
	b = appendFlag(b, "altered", r.Altered)
	b = append(b, '>')
	if r.Message != "" {
		b = append(b, "<message>"...)
		b = appendContent(b, r.Message)
		b = append(b, "</message>"...)
	}
	for i := range r.Data {
		b = append(b, "<data"...)
		b = appendOptional(b, "name", r.Data[i].Name)
		b = append(b, '>')
		b = appendContent(b, r.Data[i].Value)
		b = append(b, "</data>"...)
	}
	if r.Raw != "" {
		b = append(b, "<raw>"...)
		b = appendContent(b, r.Raw)
		b = append(b, "</raw>"...)
	}
	return append(b, "</record>\n"...)
}

// appendCount writes a number that is left out where it is 0.
func appendCount(b []byte, name string, n int64) []byte {
	if n == 0 {
		return b
	}
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, '=', '"')
	b = strconv.AppendInt(b, n, 10)
	return append(b, '"')
}

func appendFlag(b []byte, name string, set bool) []byte {
	if !set {
		return b
	}
	return appendAttribute(b, name, "true")
}

// In a CDATA section nothing is written otherwise but its end, and a carriage return, which XML would take for a line end
// (XML 1.0, section 2.11): for these the section is closed and opened again.
const (
	openSection   = "<![CDATA["
	closeSection  = "]]>"
	sectionEnd    = "]]" + closeSection + openSection + ">"
	sectionReturn = closeSection + "&#13;" + openSection
)

// appendContent writes text between two tags, byte for byte as a reader of XML gets it again: with references, or in a
// CDATA section where that is shorter, as it is for XML within XML.
func appendContent(b []byte, text string) []byte {
	_, section := contentSize(text)
	if section {
		b = append(b, openSection...)
	}
	from := 0
	for i := 0; i < len(text); i++ {
		var replaced string
		switch c := text[i]; {
		case c == '\r' && section:
			replaced = sectionReturn
		case c == '\r':
			replaced = "&#13;"
		case c == '>' && i >= 2 && text[i-1] == ']' && text[i-2] == ']' && section:
			b = append(b, text[from:i-2]...)
			b = append(b, sectionEnd...)
			from = i + 1
			continue
		case c == '>' && i >= 2 && text[i-1] == ']' && text[i-2] == ']':
			replaced = "&gt;"
		case c == '<' && !section:
			replaced = "&lt;"
		case c == '&' && !section:
			replaced = "&amp;"
		default:
			continue
		}
		b = append(b, text[from:i]...)
		b = append(b, replaced...)
		from = i + 1
	}
	b = append(b, text[from:]...)
	if section {
		b = append(b, closeSection...)
	}
	return b
}

// contentSize returns how many bytes appendContent writes, and whether it does so in a CDATA section.
func contentSize(text string) (size int, section bool) {
	returns, ends := strings.Count(text, "\r"), strings.Count(text, closeSection)
	referred := len(text) + returns*len("&#13") + ends*len("gt;") +
		strings.Count(text, "<")*len("lt;") + strings.Count(text, "&")*len("amp;")
	sectioned := len(openSection) + len(text) + len(closeSection) +
		returns*(len(sectionReturn)-1) + ends*(len(sectionEnd)-len(closeSection))
	if sectioned < referred {
		return sectioned, true
	}
	return referred, false
}

// Size returns how many bytes the record has in a report's XML: what MaxRecord, MaxRecordBytes and Request.Bytes count.
// The record must be one that CleanRecord returned.
func (r *Record) Size() int {
	var digits [64]byte
	size := len("      <record id=\"\" time=\"\"></record>\n") +
		len(strconv.AppendInt(digits[:0], r.ID, 10)) + len(r.Time.UTC().AppendFormat(digits[:0], time.RFC3339Nano)) +
		attributeSize("level", string(r.Level)) + attributeSize("source", r.Source) + attributeSize("computer", r.Computer) +
		attributeSize("user", r.User) + attributeSize("keywords", r.Keywords) +
		len(appendCount(digits[:0], "event", r.Event)) + len(appendCount(digits[:0], "process", r.Process)) +
		len(appendFlag(digits[:0], "altered", r.Altered))
	if r.Message != "" {
		n, _ := contentSize(r.Message)
		size += len("<message></message>") + n
	}
	for i := range r.Data {
		n, _ := contentSize(r.Data[i].Value)
		size += len("<data></data>") + attributeSize("name", r.Data[i].Name) + n
	}
	if r.Raw != "" {
		n, _ := contentSize(r.Raw)
		size += len("<raw></raw>") + n
	}
	return size
}

// attributeSize returns how many bytes appendOptional writes.
func attributeSize(name, value string) int {
	if value == "" {
		return 0
	}
	size := len(` =""`) + len(name) + len(value)
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '&':
			size += len("amp;")
		case '<', '>':
			size += len("lt;")
		case '"':
			size += len("quot;")
		}
	}
	return size
}
