package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestSecretNeverPrints(t *testing.T) {
	const text = "hunter2"
	secret := NewSecret(text)
	if secret.Reveal() != text || secret.Empty() {
		t.Fatal("the secret is lost")
	}
	host := Host{Name: "a", Password: secret}
	hidden := struct{ secret Secret }{secret}
	within := map[string]any{"secret": secret, "pointer": &secret, "host": host, "slice": []Secret{secret}, "hidden": hidden}
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%U", "%p", "%10.3s"} {
		fmt.Fprintf(&printed, verb+" "+verb+" "+verb+" "+verb+"\n", secret, &secret, host, hidden)
		fmt.Fprintf(&printed, verb+"\n", within)
	}
	fmt.Fprintln(&printed, secret.String(), secret.GoString(), fmt.Errorf("login with %v", secret))
	if direct := fmt.Sprintf("%v %+v %#v %s %d", secret, secret, secret, secret, secret); direct != strings.TrimSpace(strings.Repeat("[secret] ", 5)) {
		t.Errorf("printed as %s", direct)
	}

	encoded, err := json.Marshal(within)
	if err != nil || !strings.Contains(string(encoded), `"[secret]"`) {
		t.Errorf("json: %s, %v", encoded, err)
	}
	printed.Write(encoded)
	encoded, err = xml.Marshal(host)
	if err != nil || !strings.Contains(string(encoded), "[secret]") {
		t.Errorf("xml: %s, %v", encoded, err)
	}
	printed.Write(encoded)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&printed, nil), slog.NewJSONHandler(&printed, nil)} {
		slog.New(handler).Info("login", "password", secret, "pointer", &secret, "host", host, "group", slog.GroupValue(slog.Any("x", secret)))
	}

	for _, form := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text), fmt.Sprintf("%d", []byte(text))} {
		if strings.Contains(printed.String(), form) {
			t.Errorf("%q is in\n%s", form, printed.String())
		}
	}
	if !(Secret{}).Empty() || (Secret{}).Reveal() != "" || fmt.Sprint(Secret{}) != "[secret]" {
		t.Error("the zero value is not the empty secret")
	}
}

func TestSecretSources(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "",
		"plain":                           "plain",
		" kept as it is ":                 " kept as it is ",
		"a:b":                             "a:b",
		"environment:x":                   "environment:x",
		"env:SMTP_PASSWORD":               "swordfish",
		"file:/etc/muster/db.pass":        "opensesame",
		"file:db.pass":                    "opensesame",
		"file:/etc/muster/windows.pass":   "opensesame",
		"file:/etc/muster/rootgroup.pass": "opensesame",
	} {
		h := parsed(t, muster(`<host address="a" key="k" password="`+text+`"/>`)).Hosts[0]
		if h.Password.Reveal() != want {
			t.Errorf("%q: got %q, want %q", text, h.Password.Reveal(), want)
		}
	}
}

func TestAccess(t *testing.T) {
	for _, c := range []struct {
		mode    os.FileMode
		root    bool
		exposed bool
	}{
		{0, false, false}, {0o400, false, false}, {0o600, false, false}, {0o700, true, false},
		{0o640, false, true}, {0o640, true, false}, {0o440, true, false},
		{0o660, true, true}, {0o650, true, true}, {0o620, false, true}, {0o610, true, true},
		{0o604, false, true}, {0o604, true, true}, {0o602, true, true}, {0o601, true, true}, {0o644, true, true},
	} {
		if got := (Access{Mode: c.mode, RootOwned: c.root}).exposed(); got != c.exposed {
			t.Errorf("mode %04o, owned by root %v: exposed is %v", c.mode, c.root, got)
		}
	}
}

// TestLoadSecrets reads real files with real modes.
func TestLoadSecrets(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes do not say who can read a file on Windows")
	}
	folder := t.TempDir()
	document := filepath.Join(folder, "muster.xml")
	write := func(path, content string, mode os.FileMode) {
		t.Helper()
		if err := os.RemoveAll(path); err != nil { // it may be read-only
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
	}
	t.Setenv("MUSTER_TEST_PASSWORD", "swordfish")
	for _, c := range []struct {
		password   string
		mode, file os.FileMode
		want       string // the secret, or a part of the mistake after "!"
	}{
		{"literal", 0o600, 0o600, "literal"},
		{"literal", 0o644, 0o600, "!others can read this file (its mode is 0644)"},
		{"file:secret", 0o644, 0o600, "opensesame"},
		{"file:secret", 0o644, 0o400, "opensesame"},
		{"file:secret", 0o600, 0o604, "!its mode is 0604): chmod 600 it"},
		{"file:absent", 0o600, 0o600, "!can't be read: no such file or directory"},
		{"file:.", 0o600, 0o600, "!can't be read: not a regular file"},
		{"file:big", 0o600, 0o600, "!can't be read: larger than 65536 bytes"},
		{"env:MUSTER_TEST_PASSWORD", 0o644, 0o600, "swordfish"},
	} {
		write(document, muster(`<host address="a" key="k" known-hosts="h" password="`+c.password+`"/>`), c.mode)
		write(filepath.Join(folder, "secret"), "opensesame\n", c.file)
		write(filepath.Join(folder, "big"), strings.Repeat("x", longestSecret+1), 0o600)
		config, err := Load(document)
		if part, bad := strings.CutPrefix(c.want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", c, err)
		} else if got := config.Hosts[0].Password.Reveal(); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

// TestOwner tells files of root from others.
func TestOwner(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes do not say who can read a file on Windows")
	}
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("opensesame"), 0o400); err != nil {
		t.Fatal(err)
	}
	check := func(want Access) {
		t.Helper()
		if _, got, err := readSecret(path, 100); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	root := os.Geteuid() == 0
	check(Access{Mode: 0o400, RootOwned: root})
	if root {
		if err := os.Chown(path, 65534, 0); err != nil {
			t.Fatal(err)
		}
		check(Access{Mode: 0o400, RootOwned: false})
	}
}

func TestSecretsDoNotReachMistakes(t *testing.T) {
	document := muster(`<host address="a" key="k" pasword="hunter2" passwort="hunter2" password="hunter2&#10;"/>
<database url="mysql://u:hunter2@h/n" password="ENV:hunter2"/>
<database url="hunter2"/>
<mail host="m" from="a@b.example" security="none" username="u" password="hunter2" secret="hunter2"/>
<group password="file:hunter2\x00"><x password="hunter2"/>hunter2</group>`)
	environment := fixture()
	environment.Access.Mode = 0o644
	_, err := Parse(file, []byte(document), environment)
	if err == nil {
		t.Fatal("no mistakes")
	}
	// The name of a file is no secret.
	if text := strings.ReplaceAll(err.Error(), `"/etc/muster/hunter2\\x00"`, ""); strings.Contains(text, "hunter2") {
		t.Error(text)
	}
	encoded, _ := json.Marshal(err)
	if bytes.Contains(bytes.ReplaceAll(encoded, []byte(`/etc/muster/hunter2`), nil), []byte("hunter2")) {
		t.Errorf("%s", encoded)
	}
}
