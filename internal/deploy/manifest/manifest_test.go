package manifest

import (
	"bytes"
	"strings"
	"testing"
)

var sum = strings.Repeat("0a", 32)

func TestEncodeThenParse(t *testing.T) {
	m := Manifest{Clients: []Entry{
		{Platform: "windows/arm64", Version: "1.2", Size: 3, SHA256: sum},
		{Platform: "linux/amd64", Version: "1.2", Size: 4, SHA256: sum},
	}}
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Clients) != 2 || got.Clients[0] != m.Clients[1] || got.Clients[1] != m.Clients[0] {
		t.Errorf("got %+v, want the entries ordered by platform", got.Clients)
	}
	if m.Clients[0].Platform != "windows/arm64" {
		t.Error("Encode reordered the caller's slice")
	}
	again, err := got.Encode()
	if err != nil || !bytes.Equal(again, text) {
		t.Errorf("encoding what was parsed gives other bytes: %v\n%s", err, again)
	}
}

func TestParseRefuses(t *testing.T) {
	entry := func(platform, version, size, sha string) string {
		return `{"platform":"` + platform + `","version":"` + version + `","size":` + size + `,"sha256":"` + sha + `"}`
	}
	set := func(entries ...string) string { return `{"clients":[` + strings.Join(entries, ",") + `]}` }
	good := entry("linux/amd64", "1", "5", sum)
	for name, test := range map[string]struct{ text, want string }{
		"not JSON":          {"clients", "read the manifest"},
		"unknown field":     {`{"clients":[],"extra":1}`, "extra"},
		"trailing content":  {set(good) + "{}", "follows its end"},
		"twice":             {set(good, good), "twice"},
		"platform":          {set(entry("plan9/amd64", "1", "5", sum)), "no platform"},
		"no version":        {set(entry("linux/amd64", "", "5", sum)), "no version"},
		"nothing in it":     {set(entry("linux/amd64", "1", "0", sum)), "0 bytes"},
		"too large":         {set(entry("linux/amd64", "1", "16777217", sum)), "16777217 bytes"},
		"short hash":        {set(entry("linux/amd64", "1", "5", sum[2:])), "hex digits"},
		"upper-case hash":   {set(entry("linux/amd64", "1", "5", strings.ToUpper(sum))), "hex digits"},
		"hash without hex":  {set(entry("linux/amd64", "1", "5", strings.Repeat("zz", 32))), "hex digits"},
		"size not a number": {set(entry("linux/amd64", "1", `"5"`, sum)), "read the manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
	if _, err := Parse([]byte(set(good))); err != nil {
		t.Errorf("a good manifest is refused: %v", err)
	}
}

func TestPlatforms(t *testing.T) {
	if len(Platforms()) != 8 {
		t.Errorf("there are %d platforms, not 4 systems on 2 architectures", len(Platforms()))
	}
	for _, p := range Platforms() {
		got, err := ParsePlatform(p.String())
		if err != nil || got != p {
			t.Errorf("%s parses as %v, %v", p, got, err)
		}
	}
	if name := (Platform{"linux", "arm64"}).FileName(); name != "linux-arm64.zst" {
		t.Errorf("file name %q", name)
	}
	if _, err := ParsePlatform("linux"); err == nil || !strings.Contains(err.Error(), "freebsd/arm64") {
		t.Errorf("got %v, want an error that lists the platforms", err)
	}
}
