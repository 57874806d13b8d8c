package winevent

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

// node is an element as encoding/xml reads it.
type node struct {
	name       string
	attributes []xml.Attr
	text       string // that stands in it itself
	children   []*node
}

func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return &node{}
}

func (n *node) value(attribute string) string {
	for _, a := range n.attributes {
		if a.Name.Space == "" && a.Name.Local == attribute {
			return a.Value
		}
	}
	return ""
}

// depth returns how deep elements nest.
func (n *node) depth() int {
	deepest := 0
	for _, c := range n.children {
		deepest = max(deepest, c.depth())
	}
	return 1 + deepest
}

// tree reads a document to the end of its root by way of encoding/xml.
func tree(document []byte) (*node, error) {
	decoder := xml.NewDecoder(strings.NewReader(string(document)))
	var open []*node
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			n := &node{name: t.Name.Local, attributes: t.Copy().Attr}
			if len(open) > 0 {
				open[len(open)-1].children = append(open[len(open)-1].children, n)
			}
			open = append(open, n)
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(t)
			} else if strings.Trim(string(t), " \r\n\t") != "" {
				return nil, fmt.Errorf("text outside the root")
			}
		case xml.Directive:
			return nil, fmt.Errorf("a document type")
		case xml.EndElement:
			if len(open) == 1 {
				if rest := document[decoder.InputOffset():]; len(strings.Trim(string(rest), " \r\n\t")) > 0 {
					return nil, fmt.Errorf("something follows the root")
				}
				return open[0], nil
			}
			open = open[:len(open)-1]
		}
	}
}

// otherwise makes of a document, by way of encoding/xml, the event that Parse is to make of it.
func otherwise(document []byte) (Event, error) {
	root, err := tree(document)
	if err != nil {
		return Event{}, err
	}
	if root.name != "Event" || root.depth() > maxDepth {
		return Event{}, fmt.Errorf("not an event that can be compared")
	}
	for _, name := range []string{"System", "EventData", "UserData", "RenderingInfo"} {
		if countOf(root, name) > 1 {
			return Event{}, fmt.Errorf("%s stands twice", name)
		}
	}
	system, rendering := root.child("System"), root.child("RenderingInfo")
	var e Event
	for _, n := range []struct {
		value *int64
		text  string
	}{
		{&e.ID, system.child("EventRecordID").text},
		{&e.Record.Event, system.child("EventID").text},
		{&e.Process, system.child("Execution").value("ProcessID")},
	} {
		if text := strings.TrimSpace(n.text); text != "" {
			if *n.value, err = strconv.ParseInt(text, 10, 64); err != nil || *n.value < 0 || text[0] == '+' || text[0] == '-' {
				return Event{}, fmt.Errorf("%q is no number", text)
			}
		}
	}
	if at := system.child("TimeCreated").value("SystemTime"); at != "" {
		if e.Time, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return Event{}, err
		}
		e.Time = e.Time.UTC()
	}
	e.Source = system.child("Provider").value("Name")
	if e.Source == "" {
		e.Source = system.child("Provider").value("EventSourceName")
	}
	e.Computer = system.child("Computer").text
	e.Channel = system.child("Channel").text
	e.User = system.child("Security").value("UserID")
	e.Message = rendering.child("Message").text
	e.Keywords = strings.TrimSpace(system.child("Keywords").text)
	e.Level = levelOtherwise(strings.TrimSpace(system.child("Level").text), e.Keywords, strings.TrimSpace(rendering.child("Level").text))
	var words []string
	for _, k := range rendering.child("Keywords").children {
		if word := strings.TrimSpace(k.text); word != "" {
			words = append(words, word)
		}
	}
	if len(words) > 0 {
		e.Keywords = strings.Join(words, "; ")
	}
	e.Data = dataOtherwise(root)
	e.Raw = string(document)
	return e, nil
}

func countOf(n *node, name string) int {
	count := 0
	for _, c := range n.children {
		if c.name == name {
			count++
		}
		if name == "System" && c.name == name {
			names := map[string]bool{}
			for _, inner := range c.children {
				if names[inner.name] {
					count++ // which of two counts is not compared
				}
				names[inner.name] = true
			}
		}
		if name == "RenderingInfo" && c.name == name && len(c.children) > 0 {
			for _, inner := range []string{"Message", "Level", "Keywords"} {
				count += max(countOf(c, inner), 1) - 1
			}
		}
	}
	return count
}

func levelOtherwise(level, keywords, rendered string) report.Level {
	words := map[string]report.Level{"Critical": report.Critical, "Error": report.Error, "Warning": report.Warning,
		"Information": report.Information, "Verbose": report.Verbose}
	numbers := map[string]report.Level{"1": report.Critical, "2": report.Error, "3": report.Warning, "5": report.Verbose}
	if l, ok := numbers[level]; ok {
		return l
	}
	if level != "" && level != "0" && level != "4" {
		return words[rendered]
	}
	digits := strings.TrimPrefix(keywords, "0x")
	if mask, err := strconv.ParseUint(digits, 16, 64); err == nil {
		if mask>>52&1 == 1 {
			return report.AuditFailure
		}
		if mask>>53&1 == 1 {
			return report.AuditSuccess
		}
	}
	if level == "" {
		return words[rendered]
	}
	return report.Information
}

// dataOtherwise walks over the tree for the fields of an event.
func dataOtherwise(root *node) []report.Field {
	var fields []report.Field
	add := func(path []string, value string) {
		fields = append(fields, report.Field{Name: strings.Join(path, "."), Value: value})
	}
	var walk func(n *node, path []string, plain bool)
	inside := func(n *node, path []string, plain bool) {
		for _, c := range n.children {
			name := c.name
			if plain {
				if given := c.value("Name"); given != "" {
					name = given
				} else if name == "Data" {
					name = ""
				}
			}
			deeper := path
			if name != "" {
				deeper = append(append([]string(nil), path...), name)
			}
			walk(c, deeper, plain)
		}
	}
	attributes := func(n *node, path []string) {
		for _, a := range n.attributes {
			if a.Name.Space != "xmlns" && !(a.Name.Space == "" && a.Name.Local == "xmlns") {
				add(append(append([]string(nil), path...), a.Name.Local), a.Value)
			}
		}
	}
	isBlank := func(text string) bool { return strings.Trim(text, " \r\n\t") == "" }
	walk = func(n *node, path []string, plain bool) {
		before := len(fields)
		if !plain {
			attributes(n, path)
		}
		inside(n, path, plain)
		switch {
		case len(fields) == before:
			add(path, n.text)
		case !isBlank(n.text):
			add(path, strings.TrimSpace(n.text))
		}
	}
	for _, section := range root.children {
		switch section.name {
		case "System", "RenderingInfo":
		case "EventData":
			inside(section, nil, true)
		case "UserData":
			for _, kind := range section.children {
				before := len(fields)
				attributes(kind, nil)
				inside(kind, nil, false)
				if text := kind.text; !isBlank(text) {
					if len(fields) > before {
						text = strings.TrimSpace(text)
					}
					add([]string{kind.name}, text)
				}
			}
		default:
			walk(section, []string{section.name}, false)
		}
	}
	return fields
}

// same fails the test where two events differ in anything.
func same(t testing.TB, got, want Event) {
	t.Helper()
	g, w := reflect.ValueOf(got.Record), reflect.ValueOf(want.Record)
	for i := range g.NumField() {
		if name := g.Type().Field(i).Name; name != "Data" && name != "Time" && !g.Field(i).Equal(w.Field(i)) {
			t.Errorf("%s: %.300q, want %.300q", name, fmt.Sprint(g.Field(i)), fmt.Sprint(w.Field(i)))
		}
	}
	if !got.Time.Equal(want.Time) || got.Time.Location() != time.UTC {
		t.Errorf("time %v, want %v", got.Time, want.Time)
	}
	if got.Channel != want.Channel {
		t.Errorf("channel %q, want %q", got.Channel, want.Channel)
	}
	if len(got.Data) != len(want.Data) {
		t.Fatalf("%d fields, want %d:\n%.2000q\n%.2000q", len(got.Data), len(want.Data), got.Data, want.Data)
	}
	for i := range got.Data {
		if got.Data[i] != want.Data[i] {
			t.Errorf("field %d: %.300q, want %.300q", i, got.Data[i], want.Data[i])
		}
	}
}

// eventsOf returns the events of one of the files of real events, which lie beside the repository.
func eventsOf(t testing.TB, file string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder(t), file))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?s)<Event xmlns=.*?</Event>`).FindAllString(string(text), -1)
}

// folder returns where the real events are. A checkout without them skips the test.
func folder(t testing.TB) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", "..", "..", "..", "..", "shared", "data", "windows-events"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root); err != nil {
		t.Skipf("the real events are not beside this checkout: %v", err)
	}
	return root
}
