package draft

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"muster/internal/inventory"
)

// TestManual reads every example of docs/inventory.md, and compares the one that is shown with its result.
func TestManual(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "inventory.md"))
	if err != nil {
		t.Fatal(err)
	}
	formats := map[string]string{"ini": "hosts.ini", "csv": "hosts.csv", "json": "list.json", "text": "hosts"}
	last, seen := "", 0
	for _, block := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		kind, content := block[1], block[2]
		if kind == "xml" {
			var indented []string
			for line := range strings.Lines(content) {
				if strings.TrimSpace(line) != "" {
					line = "  " + line
				}
				indented = append(indented, line)
			}
			if want := strings.Join(indented, ""); !strings.Contains(last, want) {
				t.Errorf("the example becomes\n%s\nthe manual says\n%s", last, want)
			}
			continue
		}
		seen++
		in, err := inventory.Read(inventory.Options{File: formats[kind], Content: []byte(content)})
		if err != nil {
			t.Errorf("%v in\n%s", err, content)
			continue
		}
		d, _ := draftOf(t, in, formats[kind])
		last = string(d.Document)
	}
	if seen != 5 || strings.Count(string(text), "```") != 2*(seen+1) {
		t.Errorf("%d examples were found", seen)
	}
}
