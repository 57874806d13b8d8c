package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const printedFleet = `{
  "_meta": {"hostvars": {
    "web1": {"ansible_host": "10.0.0.1", "ansible_port": 2222, "ansible_user": "deploy", "ansible_ssh_private_key_file": "/k/web"},
    "web2": {"ansible_ssh_common_args": "-o ProxyJump=admin@gate:2200 -C", "ansible_password": "env:hunter2"},
    "win": {"ansible_connection": "winrm"},
    "nowhere": {"ansible_host": "10.9.9.9"}
  }},
  "all": {"children": ["web", "ungrouped"]},
  "web": {"hosts": ["web1", "web2"], "children": ["old"], "vars": {"ansible_become": true, "colour": "red"}},
  "old": {"hosts": ["web3"], "vars": {"ansible_user": "root"}},
  "ungrouped": {"hosts": ["win", "lone"]}
}`

// printing is an environment in which every command prints the same.
func printingOut(output string, ran *[]Command) Environment {
	environment := fixture()
	environment.Run = func(c Command) ([]byte, error) {
		if ran != nil {
			*ran = append(*ran, c)
		}
		return []byte(output), nil
	}
	return environment
}

func TestPrintedHosts(t *testing.T) {
	var ran []Command
	document := muster(`<mail host="m" from="a@b.example" to="c@d.example" username="u" password="env:SMTP_PASSWORD"/>
<group name="cloud" user="u" key="/k/all" password="env:SMTP_PASSWORD">
  <host address="before"/>
  <hosts command="bin/inventory --list 'a b'" timeout="5s"/>
  <host address="after" via="web1"/>
</group>`)
	c, err := Parse(file, []byte(document), printingOut(printedFleet, &ran))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range c.Hosts {
		got = append(got, fmt.Sprintf("%s %v %s@%s:%d %v %s via:%s", h.Name, h.Groups, h.User, h.Address, h.Port, h.Keys, h.Password.Reveal(), h.wayText()))
	}
	want := []string{
		"before [cloud] u@before:22 [/k/all] swordfish via:",
		"lone [cloud] u@lone:22 [/k/all] swordfish via:",
		"web1 [cloud web] deploy@10.0.0.1:2222 [/k/web] swordfish via:",
		"web2 [cloud web] u@web2:22 [/k/all] env:hunter2 via:gate:2200(admin@gate:2200)",
		"web3 [cloud web old] root@web3:22 [/k/all] swordfish via:",
		"after [cloud] u@after:22 [/k/all] swordfish via:web1(deploy@10.0.0.1:2222)",
	}
	slices.Sort(got[1:5])
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(ran) != 1 || !slices.Equal(ran[0].Words, []string{"/etc/muster/bin/inventory", "--list", "a b"}) || ran[0].Folder != "/etc/muster" ||
		ran[0].Timeout != 5*time.Second || !slices.Contains(ran[0].Without, "SMTP_PASSWORD") || ran[0].MaxBytes <= 0 {
		t.Errorf("ran %+v", ran)
	}
	warnings := c.Warnings.Error()
	if len(c.Warnings) != 2 || !strings.Contains(warnings, `the host "win" that "inventory" prints is left out: ansible_connection is winrm`) ||
		!strings.Contains(warnings, "ansible_become is set") || c.Warnings[0].Line != 5 {
		t.Errorf("warnings %s", warnings)
	}
}

// TestPrintedHostsAreChecked wants what a command prints treated as the document is.
func TestPrintedHostsAreChecked(t *testing.T) {
	hostvars := func(vars string) string {
		return `{"all":{"hosts":["x"]},"_meta":{"hostvars":{"x":{` + vars + `}}}}`
	}
	for output, want := range map[string]string{
		hostvars(`"ansible_port": 70000`):                        `ansible_port="70000" of the host "x" that "inv" prints: must be a whole number from 1 to 65535`,
		hostvars(`"ansible_host": "a b"`):                        `ansible_host="a b" of the host "x" that "inv" prints: is not a host name`,
		hostvars(`"ansible_user": "a\u001b[1mb"`):                `of the host "x" that "inv" prints: must not hold control characters`,
		hostvars(`"ansible_password": "hunter2\n"`):              `ansible_password of the host "x" that "inv" prints: must not hold control characters`,
		hostvars(`"ansible_ssh_common_args": "-J x"`):            `leads in a circle`,
		`{"all":{"hosts":["known"]}}`:                            `the name="known" of the host "known" that "inv" prints: the host on line 2 has this name`,
		`{"a/b":{"hosts":["x"]}}`:                                `the name="a/b" of a group that "inv" prints: must not hold "/"`,
		`{"all":{"hosts":["` + strings.Repeat("x", 256) + `"]}}`: "must not be longer than 255 bytes",
		`{"all":{"hosts":["x\u0007"]}}`:                          "must not hold control characters",
		`{"all":`:                                                `what "inv" prints can't be used: line 1: not JSON: it ends too early`,
		"\n\nTraceback":                                          `what "inv" prints can't be used: line 3: not JSON`,
		`[]`:                                                     "must be a JSON object",
		`{} {}`:                                                  "something follows the JSON value",
		`{"a":{"children":["b"]},"b":{"children":["a"]}}`:        `the group "a" holds itself`,
	} {
		environment := printingOut(output, nil)
		got := mistakesIn(t, muster(`<host name="known" address="k" key="k"/><group key="k"><hosts command="inv --list"/></group>`), environment)
		if len(got) != 1 || !strings.HasPrefix(got[0], "2:") || !strings.Contains(got[0], want) || strings.Contains(got[0], "hunter2") {
			t.Errorf("%.80s:\ngot  %q\nwant %s", output, got, want)
		}
		if strings.ContainsFunc(strings.Join(got, ""), unprintable) {
			t.Errorf("%q", got)
		}
	}
	got := mistakesIn(t, muster(`<hosts command="inv"/>`), printingOut(hostvars(``), nil))
	if len(got) != 1 || !strings.Contains(got[0], `the host "x" that "inv" prints has no way to log in`) {
		t.Errorf("%q", got)
	}
}

func TestCommandsAreRunForHostsAlone(t *testing.T) {
	document := muster(`<group key="k"><hosts command="inv"/><host address="a" via="a printed host"/></group>`)
	c, err := Parse(file, []byte(document), fixture()) // runs none
	if err != nil || len(c.Hosts) != 1 || len(c.Warnings) > 0 {
		t.Errorf("%v, %v", c, err)
	}
	ran := []Command{}
	if got := mistakesIn(t, muster(`<host address="a" x="1"/><hosts command="inv"/>`), printingOut("", &ran)); len(got) == 0 || len(ran) > 0 {
		t.Errorf("run in spite of %q", got)
	}
	environment := fixture()
	environment.Run = func(Command) ([]byte, error) { return nil, errors.New("it failed") }
	if got := mistakesIn(t, document, environment); len(got) != 1 || !strings.Contains(got[0], `command of <hosts>: "inv": it failed`) {
		t.Errorf("%q", got)
	}
	c, err = Parse(file, []byte(muster(`<hosts command="inv"/>`)), printingOut("{}", nil))
	if err != nil || len(c.Warnings) != 2 || !strings.Contains(c.Warnings.Error(), `"inv" prints no hosts`) {
		t.Errorf("%v, %v", c, err)
	}
}

// script writes an executable program of the shell, and a configuration that has its hosts from it.
func script(t *testing.T, text string) (configuration, folder string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the programs of this test are written for a shell")
	}
	folder = t.TempDir()
	program := filepath.Join(folder, "inventory.sh")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	configuration = filepath.Join(folder, "muster.xml")
	document := muster(`<server data="d"/><group key="k" known-hosts="h" passphrase="env:MUSTER_TEST_SECRET">` +
		`<hosts command="./inventory.sh --list" timeout="20s"/></group>`)
	if err := os.WriteFile(configuration, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MUSTER_TEST_SECRET", "swordfish")
	t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
	t.Setenv("MUSTER_TEST_OTHER", "other")
	return configuration, folder
}

func TestRealCommand(t *testing.T) {
	configuration, folder := script(t, `
printf '%s|%s|%s|%s|%s' "$1" "$MUSTER_TEST_SECRET" "$NOTIFY_SOCKET" "$MUSTER_TEST_OTHER" "$(pwd -P)" >seen
echo '{"web":{"hosts":["web1"]}}'
`)
	c, err := Load(configuration)
	if err != nil || len(c.Hosts) != 1 || c.Hosts[0].Name != "web1" || c.Hosts[0].Passphrase.Reveal() != "swordfish" {
		t.Fatalf("%+v, %v", c, err)
	}
	seen, err := os.ReadFile(filepath.Join(folder, "seen"))
	real, _ := filepath.EvalSymlinks(folder)
	if want := "--list|||other|" + real; string(seen) != want || err != nil {
		t.Errorf("the command saw %q, %v, not %q", seen, err, want)
	}
	if err := os.Remove(filepath.Join(folder, "inventory.sh")); err != nil {
		t.Fatal(err)
	}
	if c, err := LoadSettings(configuration); err != nil || len(c.Hosts) != 0 || len(c.Warnings) > 0 {
		t.Errorf("without hosts: %+v, %v", c, err)
	}
	if _, err := Load(configuration); err == nil || !strings.Contains(err.Error(), `"inventory.sh": it can't be run: no such file`) {
		t.Errorf("a program that is gone: %v", err)
	}
}

// TestCommandHasNoSecretOfADocumentOfBefore renames the variable of a secret, as an administrator does who changes a key.
func TestCommandHasNoSecretOfADocumentOfBefore(t *testing.T) {
	configuration, folder := script(t, `
printf '%s|%s' "$MUSTER_TEST_SECRET" "$MUSTER_TEST_OTHER" >seen
echo '{"web":{"hosts":["web1"]}}'
`)
	document, err := os.ReadFile(configuration)
	if err != nil {
		t.Fatal(err)
	}
	var loader Loader
	for _, next := range []struct{ document, err, seen string }{
		{string(document), "", "|other"},
		{strings.Replace(string(document), "MUSTER_TEST_SECRET", "MUSTER_TEST_OTHER", 1), "", "|"},
		{"<muster", "not well-formed", "|"},
		{strings.Replace(string(document), `"env:MUSTER_TEST_SECRET"`, `""`, 1), "", "|"},
	} {
		if err := os.WriteFile(configuration, []byte(next.document), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loader.LoadContext(t.Context(), configuration); (err != nil) != (next.err != "") || err != nil && !strings.Contains(err.Error(), next.err) {
			t.Fatalf("%s: %v", next.document, err)
		}
		if seen, err := os.ReadFile(filepath.Join(folder, "seen")); err != nil || string(seen) != next.seen {
			t.Errorf("%s: the command saw %q, %v, not %q", next.document, seen, err, next.seen)
		}
	}
}

// TestNamesOfVariables have no case on Windows, where a document may spell them as it likes.
func TestNamesOfVariables(t *testing.T) {
	c := Command{Without: []string{"Secret"}}
	for system, want := range map[string]string{"linux": "PATH=p SECRET=2 notify_socket=4", "windows": "PATH=p"} {
		variables := []string{"PATH=p", "Secret=1", "SECRET=2", "NOTIFY_SOCKET=3", "notify_socket=4"}
		if got := strings.Join(c.allowed(system, variables), " "); got != want {
			t.Errorf("%s: got %s, want %s", system, got, want)
		}
	}
}

func TestCommandFails(t *testing.T) {
	for text, want := range map[string]string{
		"exit 3\n": `it failed (exit status 3), and said nothing on its standard error`,
		"echo first >&2; printf 'no\\033[31m credentials\\n\\n' >&2; exit 1\n": `it failed (exit status 1): no [31m credentials`,
		"kill -9 $$\n":                       "it failed (signal: killed)",
		"head -c 40000000 /dev/zero; exit 0": "it prints more than 32MiB",
		"echo oops":                          `what "inventory.sh" prints can't be used: line 1: not JSON`,
	} {
		configuration, _ := script(t, text)
		if _, err := Load(configuration); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
