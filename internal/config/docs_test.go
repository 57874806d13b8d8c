package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/dburl"
)

func manual(t *testing.T) string { return page(t, "configuration.md") }

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// trusting is an environment in which every variable is set and every file is there.
func trusting() Environment {
	environment := fixture()
	environment.LookupEnv = func(string) (string, bool) { return "secret", true }
	environment.ReadFile = func(string, int) ([]byte, Access, error) { return []byte("secret\n"), Access{Mode: 0o600}, nil }
	environment.Access.Mode = 0o644 // examples hold no literal secrets
	return environment
}

// TestManualExamples runs every example of the manual, and of the page on logs, through the parser and the schema.
func TestManualExamples(t *testing.T) {
	text := manual(t) + page(t, "logs.md")
	var examples []string
	for _, match := range regexp.MustCompile("(?ms)^```xml\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		examples = append(examples, match[1])
	}
	if blocks := strings.Count(text, "```xml"); blocks != len(examples) || blocks < 5 {
		t.Fatalf("%d of %d examples were found", len(examples), blocks)
	}
	// Single elements in the text and its tables.
	for _, match := range regexp.MustCompile("`(<[a-z]+ [^`]*/>)`").FindAllStringSubmatch(text, -1) {
		example := match[1]
		if strings.Contains(example, ` log="Security"`) {
			example = `<logs channel="Security"/><host address="dc1" agent="yes"/>` + example
		}
		examples = append(examples, example)
	}
	folder := t.TempDir()
	var paths []string
	for i, example := range examples {
		if !strings.Contains(example, "<muster") {
			example = muster(example)
		}
		c, err := Parse(file, []byte(example), trusting())
		if err != nil {
			t.Errorf("%v in\n%s", err, example)
			continue
		}
		if strings.Contains(example, "<host") && len(c.Warnings) > 0 && strings.Contains(example, "<mail") {
			t.Errorf("%v in\n%s", c.Warnings, example)
		}
		paths = append(paths, filepath.Join(folder, fmt.Sprint(i, ".xml")))
		if err := os.WriteFile(paths[len(paths)-1], []byte(example), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, valid := range validate(t, paths) {
		if !valid {
			document, _ := os.ReadFile(path)
			t.Errorf("the schema refuses\n%s", document)
		}
	}
}

// TestManualIsComplete compares the manual's tables with the structs: each attribute has a row in its element's section,
// with its default.
func TestManualIsComplete(t *testing.T) {
	all := layouts()
	sections := map[string]string{}
	for _, section := range strings.Split(manual(t), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		sections[title] = body
	}
	login, shared := rows(sections["How machines are logged in to"]), rows(sections["What groups and hosts share"])
	for name, l := range all {
		body, ok := sections["`<"+name+">`"]
		if !ok {
			t.Errorf("<%s> has no section", name)
			continue
		}
		documented := rows(body)
		switch name {
		case "group", "host":
			maps.Copy(documented, shared)
			maps.Copy(documented, login)
		case "jump":
			maps.Copy(documented, login)
		}
		got, want := slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(l.attributes))
		if !slices.Equal(got, want) {
			t.Errorf("<%s> is documented with %q, but has %q", name, got, want)
		}
		for attribute, field := range l.attributes {
			if (documented[attribute] == "required") != field.required {
				t.Errorf("%s of <%s>: required is %v", attribute, name, field.required)
			}
		}
		for child := range l.children {
			if !strings.Contains(body, "<"+child+">") {
				t.Errorf("the section of <%s> does not say that <%s> stands in it", name, child)
			}
		}
	}
}

// rows returns the defaults by attribute of a section's table of attributes.
func rows(section string) map[string]string {
	found := map[string]string{}
	_, table, _ := strings.Cut(section, "| attribute | meaning | default |\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "|") {
			break
		}
		if len(cells) == 3 && strings.HasPrefix(cells[0], "| `") {
			found[strings.Trim(cells[0], "| `")] = strings.Trim(cells[2], " |`")
		}
	}
	return found
}

func TestManualDefaults(t *testing.T) {
	c := parsed(t, muster(`<mail host="m" from="a@b.example" to="a@b.example"/><host address="a" key="k"/>`))
	text := manual(t)
	all := map[string]string{}
	for _, section := range strings.Split(text, "\n## ") {
		title, _, _ := strings.Cut(section, "\n")
		for attribute, value := range rows(section) {
			all[title+" "+attribute] = value
		}
	}
	want := map[string]string{
		"`<server>` interval":                          spell(c.Server.Interval),
		"`<server>` parallel":                          fmt.Sprint(c.Server.Parallel),
		"`<server>` log-level":                         c.Server.LogLevel,
		"`<server>` log-format":                        c.Server.LogFormat,
		"`<queue>` size":                               spellSize(c.Queue.Size),
		"`<queue>` age":                                spell(c.Queue.Age),
		"`<mail>` security":                            c.Mail.Security,
		"`<mail>` timeout":                             spell(c.Mail.Timeout),
		"`<jump>` sessions":                            fmt.Sprint(c.Hosts[0].Sessions),
		"How machines are logged in to port":           fmt.Sprint(c.Hosts[0].Port),
		"How machines are logged in to host-keys":      c.Hosts[0].HostKeys,
		"How machines are logged in to authentication": strings.Join(c.Hosts[0].Authentication, ","),
		"What groups and hosts share transfer":         c.Hosts[0].Transfer,
	}
	timeouts := c.Hosts[0].Timeouts
	for stage, d := range map[string]time.Duration{"dial": timeouts.Dial, "handshake": timeouts.Handshake,
		"authentication": timeouts.Authentication, "platform": timeouts.Platform, "deploy": timeouts.Deploy,
		"run": timeouts.Run, "receive": timeouts.Receive, "visit": timeouts.Visit} {
		want["`<timeouts>` "+stage] = spell(d)
	}
	for where, value := range want {
		if all[where] != value {
			t.Errorf("%s: the default is %s, the manual says %q", where, value, all[where])
		}
	}
	for security, port := range map[string]string{"tls": "465 for `tls`", "none": "25 for `none", "starttls": "587"} {
		if fmt.Sprint(mailPort(security)) != strings.Fields(port)[0] || !strings.Contains(all["`<mail>` port"], port) {
			t.Errorf("the port for %s is %d, the manual says %s", security, mailPort(security), all["`<mail>` port"])
		}
	}
}

// TestSchemaDefaults compares the defaults that the schema's documentation names with those of the manual.
func TestSchemaDefaults(t *testing.T) {
	documented := map[string]string{}
	for _, section := range strings.Split(manual(t), "\n## ") {
		maps.Copy(documented, rows(section))
	}
	for _, attribute := range []string{"interval", "parallel", "log-level", "log-format", "keep", "size", "age", "security", "port", "transfer",
		"sessions", "client", "sudo", "agent", "authentication", "host-keys",
		"since", "raw", "messages",
		"dial", "handshake", "authentication", "platform", "deploy", "run", "receive", "visit"} {
		pattern := regexp.MustCompile(`<xs:attribute name="` + attribute + `" [^>]*>\s*<xs:annotation><xs:documentation>[^<]*Default: ` +
			regexp.QuoteMeta(documented[attribute]) + `\.`)
		if !pattern.Match(Schema()) {
			t.Errorf("the schema does not say that the default of %s is %s", attribute, documented[attribute])
		}
	}
}

// TestManualNamesParameters compares the manual with the parameters that a database's URL may have.
func TestManualNamesParameters(t *testing.T) {
	text := manual(t)
	for _, p := range slices.Concat(dburl.MySQL(), dburl.Postgres()) {
		if !strings.Contains(text, "`"+p.Name+"`") {
			t.Errorf("the manual does not name the parameter %s", p.Name)
		}
	}
}
