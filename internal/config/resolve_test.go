package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestServer(t *testing.T) {
	c := parsed(t, muster(`<server data="~/m" interval="1w" parallel="1" log-level="warn" log-format="json" log-file="../log/m.log"
		listen=" [::1]:9677 "/>`))
	want := Server{Data: "/home/alice/m", Interval: 7 * 24 * time.Hour, Parallel: 1, LogLevel: "warn", LogFormat: "json",
		LogFile: "/etc/log/m.log", Listen: "[::1]:9677", Spread: 30 * time.Second, Backoff: 7 * 24 * time.Hour}
	if c.Server != want {
		t.Errorf("got %+v, want %+v", c.Server, want)
	}
	if c.Database.URL != "sqlite:/home/alice/m/muster.db" {
		t.Errorf("the database is %s", c.Database.URL)
	}
}

func TestDatabase(t *testing.T) {
	for text, want := range map[string]string{
		"sqlite:/var/lib/m.db":          "sqlite:/var/lib/m.db",
		"sqlite:///var/lib/m.db":        "sqlite:/var/lib/m.db",
		"sqlite:data/m.db":              "sqlite:/etc/muster/data/m.db",
		"sqlite:~/m.db":                 "sqlite:/home/alice/m.db",
		"mysql://u@h/n":                 "mysql://u@h/n",
		"mariadb://u@h:3307/n?tls=true": "mysql://u@h:3307/n?tls=true",
		"postgres://u@h/n":              "postgres://u@h/n",
		"postgresql://u@[::1]:5433/n?application_name=a@b:c": "postgres://u@[::1]:5433/n?application_name=a@b:c",
		"postgres://o%40p@h/a%20b":                           "postgres://o%40p@h/a%20b",
	} {
		if got := parsed(t, muster(`<database url="`+text+`"/>`)).Database.URL; got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	c := parsed(t, muster(`<database url="mysql://u@h/n" password="env:SMTP_PASSWORD"/>`))
	if c.Database.Password.Reveal() != "swordfish" {
		t.Error("the password is lost")
	}
}

func TestKeep(t *testing.T) {
	const own = "sqlite:/home/alice/.local/state/muster/muster.db"
	for attributes, want := range map[string]Database{
		``:                           {URL: own},
		`keep="1d"`:                  {URL: own, Keep: 24 * time.Hour},
		`keep="36500d"`:              {URL: own, Keep: 36500 * 24 * time.Hour},
		`url="sqlite:/m" keep="52w"`: {URL: "sqlite:/m", Keep: 364 * 24 * time.Hour},
	} {
		if got := parsed(t, muster(`<database `+attributes+`/>`)).Database; got != want {
			t.Errorf("%s: got %+v, want %+v", attributes, got, want)
		}
	}
	c := parsed(t, muster(`<database keep="31d"/><server interval="30d"/>`))
	if c.Database.Keep != 31*24*time.Hour {
		t.Errorf("got %v", c.Database.Keep)
	}
}

func TestListen(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:9677":    "127.0.0.1:9677",
		"0.0.0.0:80":        "0.0.0.0:80",
		"[::]:65535":        "[::]:65535",
		"[2001:DB8::0:1]:1": "[2001:db8::1]:1",
		"localhost:9677":    "localhost:9677",
	} {
		if got := parsed(t, muster(`<server listen="`+text+`"/>`)).Server.Listen; got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestMail(t *testing.T) {
	for attributes, want := range map[string]string{
		``:                          "587 starttls",
		`security="starttls"`:       "587 starttls",
		`security="tls"`:            "465 tls",
		`security="none"`:           "25 none",
		`security="none" port="26"`: "26 none",
		`port="465"`:                "465 starttls",
	} {
		m := parsed(t, muster(`<mail host="m.example" from="m@example.org" to="a@example.org" `+attributes+`/>`)).Mail
		if got := fmt.Sprint(m.Port, " ", m.Security); got != want {
			t.Errorf("%s: got %s, want %s", attributes, got, want)
		}
	}
	m := parsed(t, muster(`<mail host="m.example" username="u" password="p" from="m@example.org" to="a@example.org, B &lt;b@example.org&gt;"
		ca="ca.pem" timeout="5s"/>`)).Mail
	if m.Username != "u" || m.Password.Reveal() != "p" || m.CA != "/etc/muster/ca.pem" || m.Timeout != 5*time.Second ||
		!slices.Equal(m.To, []string{"a@example.org", `"B" <b@example.org>`}) || m.From != "m@example.org" {
		t.Errorf("mail is %+v", m)
	}
	for _, host := range []string{"localhost", "LOCALHOST.", "mail.localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]", "::ffff:127.0.0.1"} {
		parsed(t, muster(`<mail host="`+host+`" security="none" username="u" password="p" from="m@example.org" to="a@example.org"/>`))
	}
	for _, host := range []string{"localhost.example.org", "10.0.0.1", "128.0.0.1", "::2", "notlocalhost"} {
		document := muster(`<mail host="` + host + `" security="none" username="u" password="p" from="m@example.org"/>`)
		if got := mistakesIn(t, document, fixture()); len(got) != 1 || !strings.Contains(got[0], "would send the password") {
			t.Errorf("%s: %q", host, got)
		}
	}
}

func TestWarnings(t *testing.T) {
	const host = `<host address="a" key="k"/>`
	const mail = `<mail host="m" from="m@example.org" %s/>`
	for _, c := range []struct{ document, want string }{
		{host, ""},
		{"", "1:1: there is no <host>: nothing will be visited"},
		{fmt.Sprintf(mail, "") + host, `2:1: nobody is mailed: name receivers by to="…" here, or by mail="…" of a group or host`},
		{fmt.Sprintf(mail, `to="a@example.org"`) + host, ""},
		{fmt.Sprintf(mail, "") + `<group mail="a@example.org">` + host + `</group>`, ""},
		{`<group mail="a@example.org" key="k"><host mail="b@example.org" address="b"/></group>`,
			`2:8: mail="a@example.org" of <group>: nobody is mailed without <mail>, alerts are only logged and stored`},
		{`<host address="a" key="k" mail=""/>`, ""},
	} {
		var got []string
		for _, w := range parsed(t, muster(c.document)).Warnings {
			got = append(got, strings.TrimPrefix(w.String(), file+":"))
		}
		if text := strings.Join(got, "\n"); text != c.want {
			t.Errorf("%s: got %s, want %s", c.document, text, c.want)
		}
	}
}

func TestDataDirectory(t *testing.T) {
	variables := func(pairs ...string) func(string) (string, bool) {
		return func(name string) (string, bool) {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1], true
				}
			}
			return "", false
		}
	}
	absolute, err := filepath.Abs("state")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		environment Environment
		want        string
	}{
		{Environment{OS: "linux", Root: true, Home: "/root"}, "/var/lib/muster"},
		{Environment{OS: "freebsd", Root: true}, "/var/lib/muster"},
		{Environment{OS: "linux", Home: "/h"}, "/h/.local/state/muster"},
		{Environment{OS: "linux", Home: "/h", LookupEnv: variables("XDG_STATE_HOME", absolute)}, absolute + "/muster"},
		{Environment{OS: "linux", LookupEnv: variables("XDG_STATE_HOME", absolute)}, absolute + "/muster"},
		{Environment{OS: "linux", Home: "/h", LookupEnv: variables("XDG_STATE_HOME", "state")}, "/h/.local/state/muster"},
		{Environment{OS: "linux"}, ""},
		{Environment{OS: "darwin", Home: "/Users/a"}, "/Users/a/Library/Application Support/muster"},
		{Environment{OS: "darwin"}, ""},
		{Environment{OS: "windows", Home: "/h", LookupEnv: variables("LOCALAPPDATA", "/l")}, "/l/muster"},
		{Environment{OS: "windows", Home: "/h"}, "/h/AppData/Local/muster"},
		{Environment{OS: "windows", Home: "/h", LookupEnv: variables("LOCALAPPDATA", "")}, "/h/AppData/Local/muster"},
		{Environment{OS: "windows"}, ""},
	} {
		if c.environment.LookupEnv == nil {
			c.environment.LookupEnv = variables()
		}
		got, ok := c.environment.dataDirectory()
		if ok != (c.want != "") || ok && filepath.ToSlash(got) != filepath.ToSlash(c.want) {
			t.Errorf("%s, root %v, home %q: got %q, %v", c.environment.OS, c.environment.Root, c.environment.Home, got, ok)
		}
	}
}

func TestKnownHosts(t *testing.T) {
	environment := fixture()
	environment.Exists = func(string) bool { return false }
	if got := environment.knownHosts(); !slices.Equal(got, []string{filepath.Join("/home/alice", ".ssh", "known_hosts")}) {
		t.Errorf("without the machine's file: %q", got)
	}
	environment.Home = ""
	if got := environment.knownHosts(); len(got) != 0 {
		t.Errorf("without any: %q", got)
	}
	document := muster(`<server data="/d"/><host address="a" key="/k"/><host address="b" key="/k" known-hosts="/h"/>`)
	if got := mistakesIn(t, document, environment); len(got) != 1 || !strings.Contains(got[0], "no host keys to be verified by") {
		t.Errorf("mistakes are %q", got)
	}
	environment.OS = "windows"
	environment.LookupEnv = func(string) (string, bool) { return "/ProgramData", true }
	environment.Exists = func(path string) bool { return filepath.ToSlash(path) == "/ProgramData/ssh/ssh_known_hosts" }
	if got := environment.knownHosts(); len(got) != 1 {
		t.Errorf("the machine's file on Windows: %q", got)
	}
}

func TestUserWithoutDomain(t *testing.T) {
	for name, want := range map[string]string{"alice": "alice", `CORP\alice`: "alice", "": ""} {
		if got := withoutDomain(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestSystem(t *testing.T) {
	e := System()
	if e.OS != runtime.GOOS || e.Root != (os.Geteuid() == 0) || e.User == "" || strings.Contains(e.User, `\`) {
		t.Errorf("%+v", e)
	}
	t.Setenv("HOME", "/somewhere")
	t.Setenv("USERPROFILE", "/somewhere")
	if home := System().Home; home != "/somewhere" {
		t.Errorf("the home directory is %s", home)
	}
	t.Setenv("HOME", "")
	t.Setenv("USERPROFILE", "")
	if current, err := user.Current(); err != nil || System().Home != current.HomeDir {
		t.Errorf("the home directory of a service is %q: %v", System().Home, err)
	}
	t.Setenv("MUSTER_TEST_EMPTY", "")
	if _, set := e.LookupEnv("MUSTER_TEST_EMPTY"); !set || !e.Exists(t.TempDir()) || e.Exists(filepath.Join(t.TempDir(), "a")) {
		t.Error("the environment is not that of the process")
	}
}

func TestLoad(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "muster.xml")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "muster init") {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Load(folder); err == nil || !strings.Contains(err.Error(), "name a file") {
		t.Errorf("a folder: %v", err)
	}
	document := muster(`<server data="data"/><host address="a" key="sub/k" known-hosts="h"/>`)
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	c, err := Load("muster.xml")
	if err != nil {
		t.Fatal(err)
	}
	folder, err = os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"muster.xml", filepath.Join(folder, "data"), filepath.Join(folder, "sub", "k"), filepath.Join(folder, "h")}
	if got := []string{c.File, c.Server.Data, c.Hosts[0].Keys[0], c.Hosts[0].KnownHosts[0]}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(document, "key", "kye", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Load("muster.xml")
	var mistakes Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) != 1 || mistakes[0].File != "muster.xml" {
		t.Errorf("a mistake: %v", err)
	}
}

func TestUnreadableFile(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("root reads every file, and Windows has no modes: TestLoad has the other errors")
	}
	path := filepath.Join(t.TempDir(), "muster.xml")
	if err := os.WriteFile(path, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "1ns": 1, "1us": 1e3, "1µs": 1e3, "1μs": 1e3, "1ms": 1e6, "1s": 1e9, "1m": 60e9, "1h": 3600e9,
		"1d": 24 * time.Hour, "2w": 14 * 24 * time.Hour, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute,
		"1w2d3h4m5s6ms7us8ns": 9*24*time.Hour + 3*time.Hour + 4*time.Minute + 5*time.Second + 6007008,
		"366d":                366 * 24 * time.Hour, "0.1s": 100 * time.Millisecond, "1m1m": 2 * time.Minute,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
		// What package time reads too it reads the same.
		if standard, err := time.ParseDuration(text); err == nil && standard != want {
			t.Errorf("%s: package time reads %v", text, standard)
		}
	}
	for _, text := range []string{"300y", "106752d", "99999999999999999999999h", strings.Repeat("9", 400) + "s"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%.20s: %v", text, got)
		}
	}
}

func TestSpell(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"100ms": 100 * time.Millisecond, "1s": time.Second, "1m": time.Minute, "1m30s": 90 * time.Second, "1h": time.Hour,
		"1h30m": 90 * time.Minute, "1d": 24 * time.Hour, "30d": 30 * 24 * time.Hour, "25h": 25 * time.Hour, "0s": 0,
	} {
		if got := spell(d); got != want {
			t.Errorf("%v is spelt %s, not %s", d, got, want)
		}
	}
}
