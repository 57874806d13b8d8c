package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/sshtest"
)

// trustResult is one host in the output of muster trust --json.
type trustResult struct{ Host, Address, Type, Fingerprint, State, Error, Advice string }

// trust runs muster trust --json.
func (p *place) trust(t *testing.T, status int, args ...string) []trustResult {
	t.Helper()
	r := p.muster(append([]string{"trust", "--json"}, args...)...)
	if r.status != status {
		t.Fatalf("muster trust %v: %+v, want the status %d", args, r, status)
	}
	var results []trustResult
	if err := json.Unmarshal([]byte(r.stdout), &results); err != nil {
		t.Fatalf("%v: %s", err, r.stdout)
	}
	return results
}

// states lists what hosts are.
func states(results []trustResult) string {
	var all []string
	for _, r := range results {
		all = append(all, r.Host+" "+r.State)
	}
	return strings.Join(all, ", ")
}

func TestTrust(t *testing.T) {
	first, second := trustServer(t), trustServer(t)
	p := newPlace(t)
	p.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1">
  <group user="monitor" password="literal" known-hosts=".ssh/known_hosts">
    <host name="one" address="127.0.0.1" port="%d"/>
    <host name="two" address="127.0.0.1" port="%d"/>
    <host name="gone" address="127.0.0.1" port="1"/>
    <host name="pinned" address="localhost" port="%d" fingerprint="%s"/>
  </group>
</muster>
`, first.Addr().Port, second.Addr().Port, first.Addr().Port, fingerprint(t, first)))

	// Nobody is asked without a terminal, and nothing recorded.
	r := p.muster("trust")
	if r.status != 1 || !strings.Contains(r.stdout, "--yes") || !strings.Contains(r.stdout, fingerprint(t, first)) ||
		!strings.Contains(r.stdout, "gone (127.0.0.1:1): dial") || !strings.Contains(r.stdout, "0 recorded now, 3 not trusted") {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(p.path(".ssh/known_hosts")); err == nil {
		t.Error("something was recorded")
	}
	got := p.trust(t, 1)
	if want := "one unknown, two unknown, gone not seen, pinned pinned"; states(got) != want {
		t.Errorf("got %s, want %s", states(got), want)
	}
	if got[0].Type != "ed25519" || got[0].Fingerprint != fingerprint(t, first) || got[2].Advice == "" {
		t.Errorf("got %+v", got)
	}

	// By a fingerprint, and then all that are left.
	if got := p.trust(t, 1, "--fingerprint", fingerprint(t, first), "one", "two"); states(got) != "one recorded, two another" {
		t.Errorf("got %s", states(got))
	}
	if got := p.trust(t, 1, "--fingerprint", fingerprint(t, second), "one"); states(got) != "one another" {
		t.Errorf("a known key that is not the one that is named: got %s", states(got))
	}
	if r := p.muster("trust", "--fingerprint", "SHA256:short", "one"); r.status != 2 || !strings.Contains(r.stderr, "43 characters") {
		t.Errorf("what is no fingerprint: %+v", r)
	}
	if got := p.trust(t, 0, "--yes", "one", "two"); states(got) != "one known, two recorded" {
		t.Errorf("got %s", states(got))
	}
	recorded := first.KnownHostsLine() + second.KnownHostsLine()
	if content, err := os.ReadFile(p.path(".ssh/known_hosts")); err != nil || string(content) != recorded {
		t.Errorf("known_hosts holds %q, %v; want %q", content, err, recorded)
	}

	// A changed key is shown, and recorded only on demand.
	before := first.KnownHostsLine()
	key, err := sshtest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	first.SetHostKeys(key)
	r = p.muster("trust", "--yes")
	if r.status != 1 || !strings.Contains(r.stdout, "CHANGED") || !strings.Contains(r.stdout, "muster trust --replace one") {
		t.Errorf("%+v", r)
	}
	if got := p.trust(t, 1, "--yes", "one"); states(got) != "one changed" {
		t.Errorf("got %s", states(got))
	}
	if got := p.trust(t, 1, "--yes", "--replace", "pinned"); states(got) != "pinned changed" {
		t.Errorf("got %s", states(got))
	}
	if got := p.trust(t, 0, "--yes", "--replace", "one"); states(got) != "one recorded" {
		t.Errorf("got %s", states(got))
	}
	content, err := os.ReadFile(p.path(".ssh/known_hosts"))
	if err != nil || strings.Contains(string(content), before) || !strings.Contains(string(content), first.KnownHostsLine()) ||
		!strings.Contains(string(content), second.KnownHostsLine()) {
		t.Errorf("known_hosts holds %q, %v", content, err)
	}
	if r := p.muster("trust", "three"); r.status != 2 || !strings.Contains(r.stderr, `"three"`) {
		t.Errorf("%+v", r)
	}

	// What can't be written is said.
	if err := os.Mkdir(p.path("lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.write("muster.xml", strings.ReplaceAll(p.read("muster.xml"), ".ssh/known_hosts", "lock/none"))
	if err := os.Mkdir(p.path("lock/none.lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	if r := p.muster("trust", "--yes", "two"); r.status != 3 || !strings.Contains(r.stderr, "known_hosts could not be used") {
		t.Errorf("%+v", r)
	}
}

func (p *place) read(name string) string {
	p.t.Helper()
	content, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(content)
}

// trustServer is a server to which nobody must log in.
func trustServer(t *testing.T) *sshtest.Server {
	t.Helper()
	server, err := sshtest.New(sshtest.Options{Home: t.TempDir(), Password: "unused", Configure: func(c *ssh.ServerConfig) {
		c.AuthLogCallback = func(_ ssh.ConnMetadata, method string, _ error) { t.Errorf("somebody tries to log in by %s", method) }
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func fingerprint(t *testing.T, s *sshtest.Server) string {
	t.Helper()
	_, _, key, _, _, err := ssh.ParseKnownHosts([]byte(s.KnownHostsLine()))
	if err != nil {
		t.Fatal(err)
	}
	return ssh.FingerprintSHA256(key)
}

// TestDocumentedTrust runs what docs/configuration.md says of host keys and of refused passwords, with the fingerprint of
// the server that takes web1's place.
func TestDocumentedTrust(t *testing.T) {
	server := trustServer(t)
	p := newPlace(t)
	p.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><server data="data"/>
  <host name="web1" address="127.0.0.1" port="%d" user="monitor" password="p" known-hosts="known_hosts"/></muster>
`, server.Addr().Port))
	commands := 0
	for _, block := range blocks(t, "docs/configuration.md", "sh") {
		for line := range strings.Lines(block) {
			command, _, _ := strings.Cut(line, "#")
			words := strings.Fields(command)
			if len(words) < 2 || words[0] != "muster" || words[1] != "trust" && words[1] != "login" {
				continue
			}
			want := 0
			for i, word := range words {
				if strings.HasPrefix(word, "SHA256:") {
					words[i] = fingerprint(t, server)
				}
			}
			if len(words) == 2 {
				want = 1 // nobody is there to answer
			}
			if r := p.muster(words[1:]...); r.status != want {
				t.Errorf("%v: %+v", words, r)
			}
			commands++
		}
	}
	if commands != 5 {
		t.Errorf("%d commands ran, want five", commands)
	}
}
