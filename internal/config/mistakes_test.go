package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPositions(t *testing.T) {
	const ns = `xmlns="` + Namespace + `"`
	for _, c := range []struct {
		name, document string
		want           []string // line:column of each mistake
	}{
		{"attributes over several lines", "<muster " + ns + ">\n\t<host\n\t\taddress = 'a'\n\n  key\n=\n\"k\"   x=\"1\" y='>' z=\"/>\"\n/>\n</muster>",
			[]string{"7:7", "7:13", "7:19"}},
		{"carriage returns", "<muster " + ns + ">\r\n<host address=\"a\" key=\"k\"/>\r\n  <x/>\r\n</muster>", []string{"3:3"}},
		{"characters, not bytes", "<muster " + ns + "><!-- äöü機 --><x/></muster>", []string{"1:50"}},
		{"byte order mark", "\ufeff<muster x=\"1\" " + ns + ">\n<y/></muster>", []string{"1:9", "2:1"}},
		{"text after an indent", "<muster " + ns + ">\n\n   text</muster>", []string{"3:4"}},
		{"text after a reference", "<muster " + ns + ">&#32;\n &lt;</muster>", []string{"1:37"}},
		{"quotes within values", "<muster " + ns + "><host address=\"a\" name='\"' key=\"'\" x=''/></muster>", []string{"1:72"}},
		{"a greater-than sign in a value", "<muster " + ns + "><host name=\"a>b\" x=\"\" address=\"a\" key=\"k\"/></muster>", []string{"1:54"}},
		{"an element that lacks something", "<muster " + ns + ">\n   <host key=\"k\"/></muster>", []string{"2:4"}},
		{"invalid UTF-8", "<muster " + ns + ">\n  <!-- ok -->\n ab\xff</muster>", []string{"3:4"}},
		{"no-break control", "<muster " + ns + ">\n\n  \x02</muster>", []string{"3:3"}},
	} {
		var got []string
		for _, line := range mistakesIn(t, c.document, fixture()) {
			got = append(got, strings.Join(strings.SplitN(line, ":", 3)[:2], ":"))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v\n%s", c.name, got, c.want, strings.Join(mistakesIn(t, c.document, fixture()), "\n"))
		}
	}
}

// TestEachAttributeHasItsPosition misspells every attribute of every good document in turn.
func TestEachAttributeHasItsPosition(t *testing.T) {
	tried := 0
	for path, document := range documents(t, "good") {
		text := string(document)
		for i := range text {
			// An attribute's name after white space; " is in no name.
			if i == 0 || !strings.ContainsRune(space, rune(text[i-1])) || strings.ContainsRune(space, rune(text[i])) {
				continue
			}
			name, rest, found := strings.Cut(text[i:], "=")
			if !found || strings.TrimSpace(name) == "" || strings.ContainsAny(strings.TrimSpace(name), space+`<>"':/?`) || strings.HasPrefix(name, "xmlns") {
				continue
			}
			quote := strings.TrimLeft(rest, space)
			instruction := strings.LastIndex(text[:i], "<?") > strings.LastIndex(text[:i], "?>")
			if quote[0] != '"' && quote[0] != '\'' || instruction {
				continue
			}
			tried++
			line := strings.Count(text[:i], "\n") + 1
			column := len([]rune(strings.TrimPrefix(text[strings.LastIndexByte(text[:i], '\n')+1:i], byteOrderMark))) + 1
			want := fmt.Sprintf("%d:%d: unknown attribute", line, column)
			mistakes := mistakesIn(t, text[:i]+"xyzzy"+text[i:], fixture())
			if !slices.ContainsFunc(mistakes, func(m string) bool { return strings.HasPrefix(m, want) }) {
				t.Errorf("%s: %s misspelt at %d:%d: %q", path, name, line, column, mistakes)
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d attributes were found", tried)
	}
}

func TestUTF16(t *testing.T) {
	for _, document := range []string{"\xff\xfe<\x00m\x00", "\xfe\xff\x00<\x00m"} {
		if got := mistakesIn(t, document, fixture()); len(got) != 1 || !strings.Contains(got[0], "save it as UTF-8") {
			t.Errorf("%q", got)
		}
	}
}

func TestTooLarge(t *testing.T) {
	document := make([]byte, MaxSize+1)
	_, err := Parse(file, document, fixture())
	if err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("%v", err)
	}
}

func TestErrorListsMistakes(t *testing.T) {
	var mistakes Mistakes
	for i := range 1234 {
		mistakes = append(mistakes, Mistake{File: "f", Line: i + 1, Column: 2, Message: "m"})
	}
	lines := strings.Split(mistakes.Error(), "\n")
	if len(lines) != 201 || lines[0] != "f:1:2: m" || lines[199] != "f:200:2: m" || lines[200] != "… and 1034 more" {
		t.Errorf("%d lines, %q … %q", len(lines), lines[0], lines[len(lines)-1])
	}
	if got := mistakes[:200].Error(); strings.Contains(got, "…") || strings.Count(got, "\n") != 199 {
		t.Error(got)
	}
}

func TestNoMistakeSpansLines(t *testing.T) {
	document := muster(`<host address="a&#10;b&#x9b;31m" key="k" ключ="1"/>` +
		`<group name="a&#10;b" mail="&#10;x"/><limit statistic="&#10;" above="&#10;9"/>` +
		`<host address="` + strings.Repeat("x", 5000) + `"/><` + strings.Repeat("y", 5000) + `/>`)
	mistakes := mistakesIn(t, document, fixture())
	if len(mistakes) < 6 {
		t.Errorf("%q", mistakes)
	}
	for _, line := range mistakes {
		if strings.ContainsFunc(line, unprintable) || utf8.RuneCountInString(line) > 520 {
			t.Errorf("%q", line)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"address", "port", "known-hosts", "password", "cpu.usage", "memory.usage", "mail"}
	for name, want := range map[string]string{
		"prot": "port", "adress": "address", "addres": "address", "PORT": "port", "Port": "port", "knownhosts": "known-hosts",
		"known_hosts": "known-hosts", "passwd": "password", "pasword": "password", "memory": "memory.usage", "mem": "memory.usage",
		"via": "", "": "", "x": "", "listen": "", "cpu": "cpu.usage", "mial": "mail", strings.Repeat("p", 65): "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"ü", "u", 1}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, not %d", c.a, c.b, got, c.want)
		}
	}
}
