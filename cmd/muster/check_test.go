package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/sshtest"
)

// checkResult is what muster check --json prints.
type checkResult struct {
	Mistakes, Warnings []string
	Checked, Well      int
	Problems           []struct {
		Part                       string
		Hosts                      []string
		Stage, Kind, Error, Advice string
	}
	Failed []struct{ Host, Stage, Kind, Error, Advice string }
	Parts  []struct {
		Part          string
		Well          bool
		Detail, Error string
	}
}

// conversation is what muster check --json HOST prints.
type conversation struct {
	Host       string
	Steps      []struct{ Stage, Event, Text string }
	Stages     map[string]float64
	Statistics int
	Sent       int64
	Failure    *struct{ Stage, Kind, Error, Advice string }
}

// TestCheck checks a fleet in which half of the hosts can't be visited, before there is anything, and keeps it so.
func TestCheck(t *testing.T) {
	onEngines(t, func(t *testing.T, database string) {
		f := newFleet(t, database)
		f.configure("0%", true)
		r := f.want(1, "check", "--json")
		checked := decode[checkResult](t, r.stdout)
		if checked.Checked != 8 || checked.Well != 4 || len(checked.Failed) != 4 || len(checked.Problems) != 4 || len(checked.Parts) != 3 {
			t.Errorf("got %+v", checked)
		}
		for _, failed := range checked.Failed {
			if failed.Stage == "" || failed.Kind == "" || failed.Error == "" || failed.Advice == "" {
				t.Errorf("%+v", failed)
			}
		}
		for _, part := range checked.Parts {
			if !part.Well || part.Detail == "" {
				t.Errorf("%+v", part)
			}
		}
		text := f.want(1, "check")
		for _, want := range []string{
			"FAIL  dead: dial: ", "nothing listens on port 1", "FAIL  wrong-password: authentication: ", "FAIL  changed-key: handshake: ",
			"ok    database: ", ": the first sweep ", "ok    queue: ", "ok    mail: localhost",
			"8 hosts checked", "4 well, 4 failed for 4 reasons; queue, database and mail are well",
		} {
			if !strings.Contains(text.stdout, want) {
				t.Errorf("check does not say %q:\n%s", want, text.stdout)
			}
		}
		for _, made := range []string{"data", "muster.log"} {
			if _, err := os.Stat(f.path(made)); err == nil {
				t.Errorf("check made %s", made)
			}
		}
		if r := f.muster("db", "status"); r.status != 3 {
			t.Errorf("check made a database:\n%s\n%s", r.stdout, r.stderr)
		}
		f.want(1, "run")
		if mails := f.smtp.Messages(t, 1); len(mails) != 1 {
			t.Errorf("%d mails, want that of run", len(mails))
		}
		if r := f.want(1, "check"); !strings.Contains(r.stdout, ", version ") {
			t.Errorf("the database is not checked:\n%s", r.stdout)
		}
		f.keepsSecrets(r, text)
	})
}

// TestCheckBesideServe checks while a server is at work, which neither notices.
func TestCheckBesideServe(t *testing.T) {
	f := newFleet(t, "")
	f.configureServe(fmt.Sprintf(`<host name="one" address="%s" port="%d"/>`, f.sshd.Address, f.sshd.Port))
	s := f.serve(t)
	s.waitFor(t, "reports stored")
	r := f.want(0, "check")
	if !strings.Contains(r.stdout, "a server runs since") || !strings.Contains(r.stdout, "1 host checked") {
		t.Errorf("got\n%s", r.stdout)
	}
	if status := f.want(0, "status", "--json"); !strings.Contains(status.stdout, `"one"`) {
		t.Errorf("status beside both:\n%s", status.stdout)
	}
	if status := s.stop(t); status != 0 {
		t.Errorf("serve ended with status %d, want 0", status)
	}
}

// TestCheckOfWhatTheServerNeeds breaks one part after the other.
func TestCheckOfWhatTheServerNeeds(t *testing.T) {
	f := newFleet(t, `<database url="mysql://muster@127.0.0.1:1/muster" password="file:host.pass"/>`)
	f.configure("0%", false)
	problem := func(part, says, advice string) {
		t.Helper()
		r := f.want(3, "check", "--json")
		checked := decode[checkResult](t, r.stdout)
		if len(checked.Problems) != 1 || checked.Problems[0].Part != part || !strings.Contains(checked.Problems[0].Error, says) ||
			!strings.Contains(checked.Problems[0].Advice, advice) {
			t.Errorf("%s: got %+v", part, checked.Problems)
		}
		f.keepsSecrets(r)
	}
	if err := os.WriteFile(f.path("muster.log"), nil, 0o600); err != nil { // keepsSecrets reads it
		t.Fatal(err)
	}
	problem("database", "127.0.0.1:1", "reports wait in the queue")

	f.database = ""
	f.configure("0%", false)
	f.write("mail.pass", "wr0ng-s3cret")
	problem("mail", "log in", "username and password")
	f.write("mail.pass", f.smtp.Password)
	f.smtp.Stop()
	problem("mail", "connect", "port of <mail>")
	f.smtp.Start()

	f.want(0, "run")
	if err := os.Rename(f.path("data/queue.key"), f.path("data/away")); err != nil {
		t.Fatal(err)
	}
	problem("queue", "queue.key is gone", "backup")
	if err := os.Rename(f.path("data/away"), f.path("data/queue.key")); err != nil {
		t.Fatal(err)
	}
	f.want(0, "check")
}

// TestCheckOfAFleetWithOneCause has 400 hosts that fail for one reason: that is one line.
func TestCheckOfAFleetWithOneCause(t *testing.T) {
	p := newPlace(t)
	key := p.path("key")
	writeClientKey(t, key)
	p.write("known_hosts", "")
	var hosts strings.Builder
	for i := range 400 {
		fmt.Fprintf(&hosts, `<host name="h%d" address="127.0.%d.%d" port="1"/>`, i, i/200, 1+i%200)
	}
	p.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><server data="data"/>
  <group name="all" user="u" key="key" known-hosts="known_hosts">%s</group></muster>`, hosts.String()))
	r := p.want(1, "check")
	if n := strings.Count(r.stdout, "FAIL"); n != 1 || !strings.Contains(r.stdout, "FAIL  400 hosts (h0, h1, h2 and 397 more): dial: ") {
		t.Errorf("got %d problems:\n%s", n, r.stdout)
	}
	if !strings.Contains(r.stdout, "nothing listens on port 1 of …") {
		t.Errorf("the advice is that of one host:\n%s", r.stdout)
	}
	if r.stderr != "" {
		t.Errorf("without a terminal there is progress: %q", r.stderr)
	}
	checked := decode[checkResult](t, p.want(1, "check", "--json").stdout)
	if len(checked.Problems) != 1 || len(checked.Problems[0].Hosts) != 400 || len(checked.Failed) != 400 {
		t.Errorf("%d problems, %d failed", len(checked.Problems), len(checked.Failed))
	}
}

// TestCheckOfOneHost shows the whole conversation with a real sshd.
func TestCheckOfOneHost(t *testing.T) {
	f := newFleet(t, "")
	f.configure("0%", true)
	f.write("muster.log", "")
	said := f.want(0, "check", "by-key")
	for _, want := range []string{
		"\ndial\n", "connected to 127.0.0.1:", "\nhandshake\n", "the host calls itself SSH-2.0-OpenSSH_", "ed25519 key SHA256:",
		f.sshd.KnownHosts + ":1", "\nauthentication\n", "key exchange ", "offering ed25519 key SHA256:", "logged in with",
		"$ uname -sm", "the host is linux/", "\ndeploy\n", "the client was uploaded in " + f.sshd.Home, "running ", "a sealed report of ",
		"the seal is right", "statistics", "stages: dial ", "ok    ",
	} {
		if !strings.Contains(said.stdout, want) {
			t.Errorf("the conversation does not show %q", want)
		}
	}
	again := f.want(0, "check", "by-password", "--json")
	talk := decode[conversation](t, again.stdout)
	if talk.Failure != nil || talk.Statistics < 10 || talk.Sent == 0 || len(talk.Stages) != 9 {
		t.Errorf("got %+v", talk)
	}
	if !slices.ContainsFunc(talk.Steps, func(s struct{ Stage, Event, Text string }) bool {
		return s.Event == "client" && strings.Contains(s.Text, "is there already")
	}) {
		t.Errorf("the client is not found where it is: %+v", talk.Steps)
	}
	wrong := f.want(1, "check", "wrong-password")
	for _, want := range []string{"offering the password", "refused: the password", "FAIL  authentication: ", "(password-refused)", "check the user"} {
		if !strings.Contains(wrong.stdout, want) {
			t.Errorf("the conversation does not show %q:\n%s", want, wrong.stdout)
		}
	}
	changed := f.want(1, "check", "changed-key")
	if !strings.Contains(changed.stdout, "which is not trusted") || !strings.Contains(changed.stdout, "(host-key-changed)") {
		t.Errorf("got\n%s", changed.stdout)
	}
	f.keepsSecrets(said, again, wrong, changed)
	if t.Failed() {
		t.Log(said.stdout)
	}
}

// TestCheckChoosesHosts names hosts and groups, and misspells them.
func TestCheckChoosesHosts(t *testing.T) {
	f := newFleet(t, "")
	f.configure("0%", false)
	r := f.want(0, "check", "test")
	if !strings.Contains(r.stdout, "4 hosts checked") || strings.Contains(r.stdout, "database") {
		t.Errorf("a group:\n%s", r.stdout)
	}
	if r = f.want(0, "check", "by-key", "elsewhere"); !strings.Contains(r.stdout, "2 hosts checked") {
		t.Errorf("two hosts:\n%s", r.stdout)
	}
	if r = f.want(2, "check", "By-Kex"); !strings.Contains(r.stderr, `did you mean "by-key"?`) {
		t.Errorf("a misspelt host:\n%s", r.stderr)
	}
	f.write("muster.xml", "<muster/>")
	if r = f.want(2, "check", "--json"); len(decode[checkResult](t, r.stdout).Mistakes) == 0 {
		t.Errorf("a mistake in the configuration:\n%s", r.stdout)
	}
}

// TestCheckOfAHostileHost shows what a host says so that it can be read, and nothing of what it was told in confidence.
func TestCheckOfAHostileHost(t *testing.T) {
	const canary = "c4nary-passw0rd"
	p := newPlace(t)
	server, err := sshtest.New(sshtest.Options{
		Home: t.TempDir(), Password: canary, Exec: sshtest.Answer("\x1b[2J\u202eevil "+canary+"\nLinux vax\n", 1),
		Configure: func(c *ssh.ServerConfig) {
			c.BannerCallback = func(ssh.ConnMetadata) string { return "Welcome \x1b]0;owned\x07 " + canary + "\nsecond line" }
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	p.write("known_hosts", server.KnownHostsLine())
	p.write("pass", canary)
	p.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><server data="data"/>
  <host name="evil" address="127.0.0.1" port="%d" user="u" password="file:pass" known-hosts="known_hosts"/></muster>`, server.Addr().Port))
	for _, args := range [][]string{{"check", "evil"}, {"check", "evil", "--json"}, {"check"}, {"check", "--json"}} {
		r := p.want(1, args...)
		all := r.stdout + r.stderr
		if strings.Contains(all, canary) {
			t.Errorf("%q shows the password:\n%s", args, all)
		}
		if strings.ContainsAny(all, "\x1b\x07\u202e") || strings.Contains(all, `\u001b`) {
			t.Errorf("%q shows control characters:\n%q", args, all)
		}
		if len(args) == 2 && args[1] == "evil" {
			for _, want := range []string{`Welcome \x1b]0;owned\a (password)`, "second line", `\u202eevil (password)`, "(no-shell)"} {
				if !strings.Contains(r.stdout, want) {
					t.Errorf("the conversation does not show %q:\n%s", want, r.stdout)
				}
			}
		}
	}
}

// writeClientKey writes a private key that nobody lets in.
func writeClientKey(t *testing.T, file string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
}
