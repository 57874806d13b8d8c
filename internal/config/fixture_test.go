package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// file is where the tests' documents lie, as far as Parse is concerned.
const file = "/etc/muster/muster.xml"

// fixture is the environment of the documents in testdata.
func fixture() Environment {
	variables := map[string]string{"SMTP_PASSWORD": "swordfish", "EMPTY": "", "SSH_AUTH_SOCK": "/run/user/1000/agent", "XDG_STATE_HOME": "relative/is/ignored"}
	type secretFile struct {
		content string
		access  Access
	}
	files := map[string]secretFile{
		"/etc/muster/db.pass":        {"opensesame\n", Access{Mode: 0o600}},
		"/etc/muster/windows.pass":   {"opensesame\r\n", Access{Mode: 0o400}},
		"/etc/muster/open.pass":      {"opensesame\n", Access{Mode: 0o604}},
		"/etc/muster/group.pass":     {"opensesame\n", Access{Mode: 0o640}},
		"/etc/muster/rootgroup.pass": {"opensesame", Access{Mode: 0o640, RootOwned: true}},
		"/etc/muster/empty.pass":     {"\n", Access{Mode: 0o600}},
		"/etc/muster/lines.pass":     {"open\nsesame\n", Access{Mode: 0o600}},
	}
	return Environment{
		OS:     "linux",
		User:   "alice",
		Home:   "/home/alice",
		Access: Access{Mode: 0o600},
		LookupEnv: func(name string) (string, bool) {
			value, ok := variables[name]
			return value, ok
		},
		Exists: func(path string) bool { return path == "/etc/ssh/ssh_known_hosts" },
		ReadFile: func(path string, limit int) ([]byte, Access, error) {
			f, ok := files[filepath.ToSlash(path)]
			if !ok {
				return nil, Access{}, fs.ErrNotExist
			}
			if len(f.content) > limit {
				return nil, Access{}, errors.New("too large")
			}
			return []byte(f.content), f.access, nil
		},
	}
}

// muster returns a document with the given lines in its root, which begin on line 2.
func muster(lines string) string {
	return `<muster xmlns="` + Namespace + `">` + "\n" + lines + "\n</muster>\n"
}

// parsed returns the configuration of a document without mistakes.
func parsed(t testing.TB, document string) *Config {
	t.Helper()
	config, err := Parse(file, []byte(document), fixture())
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, document)
	}
	return config
}

// mistakesIn returns the mistakes of a document as line:column message.
func mistakesIn(t testing.TB, document string, environment Environment) []string {
	t.Helper()
	config, err := Parse(file, []byte(document), environment)
	if err == nil {
		return nil
	}
	if config != nil {
		t.Error("Parse returned a configuration beside its mistakes")
	}
	var mistakes Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("the error is a %T: %v", err, err)
	}
	var lines []string
	for _, m := range mistakes {
		if m.File != file {
			t.Errorf("a mistake is in %q, not in %q", m.File, file)
		}
		lines = append(lines, strings.TrimPrefix(m.String(), file+":"))
	}
	return lines
}

// documents returns the test documents of a folder by their paths.
func documents(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.xml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no documents in testdata/%s: %v", folder, err)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		document, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = document
	}
	return all
}

// host returns the only host, or that of the given name.
func (c *Config) host(t testing.TB, name string) Host {
	t.Helper()
	for _, h := range c.Hosts {
		if h.Name == name || name == "" && len(c.Hosts) == 1 {
			return h
		}
	}
	t.Fatalf("no host %q among %d", name, len(c.Hosts))
	return Host{}
}
