package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestExample(t *testing.T) {
	c := parsed(t, string(Example()))
	if len(c.Hosts) != 0 || c.Server.Interval != time.Minute {
		t.Errorf("%d hosts, interval %v", len(c.Hosts), c.Server.Interval)
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, "no <host>") {
		t.Errorf("warnings %v, want only that there is no host yet", c.Warnings)
	}
	Example()[0], Schema()[0] = 'x', 'x'
	if Example()[0] != '<' || Schema()[0] != '<' {
		t.Error("a caller can change what others get")
	}
	for _, line := range strings.Split(string(Example()), "\n") {
		if len([]rune(line)) > 120 {
			t.Errorf("too long: %s", line)
		}
	}
}

// TestExampleInFull takes the examples out of their comments.
func TestExampleInFull(t *testing.T) {
	comment := regexp.MustCompile(`(?s)<!--(.*?)-->`)
	opened := 0
	full := comment.ReplaceAllStringFunc(string(Example()), func(text string) string {
		// An example begins on a line of its own, after an empty line.
		_, code, found := strings.Cut(strings.Trim(text, "<!->"), "\n\n  ")
		if start := strings.TrimSpace(code); !found || !strings.HasPrefix(start, "<") {
			return ""
		}
		opened++
		return code
	})
	if opened != 7 {
		t.Errorf("%d examples are in comments", opened)
	}
	environment := fixture()
	environment.LookupEnv = func(string) (string, bool) { return "secret", true }
	environment.ReadFile = func(string, int) ([]byte, Access, error) { return []byte("secret"), Access{Mode: 0o600}, nil }
	// A stranger may read it: there is no literal secret in it.
	environment.Access.Mode = 0o644
	c, err := Parse(file, []byte(full), environment)
	if err != nil {
		t.Fatalf("%v\n%s", err, full)
	}
	if len(c.Hosts) != 3 || c.Mail == nil || len(c.Warnings) > 0 {
		t.Errorf("%d hosts, mail %v, warnings %v", len(c.Hosts), c.Mail, c.Warnings)
	}
	folder := t.TempDir()
	paths := []string{filepath.Join(folder, "example.xml"), filepath.Join(folder, "full.xml")}
	for i, text := range []string{string(Example()), full} {
		if err := os.WriteFile(paths[i], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, valid := range validate(t, paths) {
		if !valid {
			t.Errorf("the schema refuses %s", path)
		}
	}
}
