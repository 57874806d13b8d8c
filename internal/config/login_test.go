package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// loginText returns all that concerns a login as one line.
func (h *Host) loginText() string {
	return fmt.Sprintf("%s@%s:%d keys%v certificates%v passphrase(%s) agent(%s) password(%s) %v known%v %s pin%v as(%s)",
		h.User, h.Address, h.Port, h.Keys, h.Certificates, h.Passphrase.Reveal(), h.Agent, h.Password.Reveal(),
		h.Authentication, h.KnownHosts, h.HostKeys, h.Fingerprints, h.KnownAs)
}

func TestLoginIsInheritedAndReplaced(t *testing.T) {
	c := parsed(t, muster(`
<group user="u" key="/a, /b" certificate="/c-cert.pub" passphrase="open" agent="/run/agent" authentication="password,publickey"
       password="p" known-hosts="/h" host-keys="accept-new" known-as="cluster" port="2" sudo="yes" client="installed:/opt/client">
  <host name="inherits" address="a"/>
  <host name="own" address="b" user="v" key="d" certificate="" passphrase="" agent="none" authentication="publickey"
        password="" known-hosts="/i" host-keys="strict" known-as="b" port="3" sudo="no" client="upload"/>
  <host name="without keys" address="c" key="" agent="none"/>
  <host name="agent alone" address="d" key=""/>
  <host name="pinned" address="e" fingerprint=" `+fingerprint+`,`+fingerprint+` "/>
  <host name="as itself" address="f" known-as=""/>
  <host name="through" address="g" via="gate"/>
  <jump name="gate" address="h" sessions="3"/>
</group>`))
	const all = "keys[/a /b] certificates[/c-cert.pub] passphrase(open) agent(/run/agent) password(p) [password publickey] known[/h] accept-new "
	for name, want := range map[string]string{
		"inherits":     "u@a:2 " + all + "pin[] as(cluster)",
		"own":          "v@b:3 keys[/etc/muster/d] certificates[] passphrase() agent() password() [publickey] known[/i] strict pin[] as(b)",
		"without keys": "u@c:2 keys[] certificates[] passphrase() agent() password(p) [password publickey] known[/h] accept-new pin[] as(cluster)",
		"agent alone":  "u@d:2 keys[] certificates[/c-cert.pub] passphrase() agent(/run/agent) password(p) [password publickey] known[/h] accept-new pin[] as(cluster)",
		"pinned":       "u@e:2 " + all + "pin[" + fingerprint + "] as(cluster)",
		"as itself":    "u@f:2 " + all + "pin[] as()",
	} {
		h := c.host(t, name)
		if got := h.loginText(); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
	inherits, own, gate := c.host(t, "inherits"), c.host(t, "own"), c.host(t, "through").Via
	if !inherits.Sudo || inherits.Client != "/opt/client" || own.Sudo || own.Client != "" {
		t.Errorf("sudo %v and %v, client %q and %q", inherits.Sudo, own.Sudo, inherits.Client, own.Client)
	}
	if want := "u@h:2 " + all + "pin[] as()"; gate.loginText() != want || gate.Sessions != 3 || inherits.Sessions != 16 {
		t.Errorf("the jump host, %d sessions:\ngot  %s\nwant %s", gate.Sessions, gate.loginText(), want)
	}
}

func TestAgent(t *testing.T) {
	environment := fixture()
	variables := environment.LookupEnv
	socket := "/tmp/ssh/agent.1"
	environment.LookupEnv = func(name string) (string, bool) {
		if name == "SSH_AUTH_SOCK" {
			return socket, socket != ""
		}
		return variables(name)
	}
	for value, want := range map[string]string{
		"SSH_AUTH_SOCK": "/tmp/ssh/agent.1", "none": "", "/run/a": "/run/a", "~/a": "/home/alice/a", "a": "/etc/muster/a",
	} {
		c, err := Parse(file, []byte(muster(`<host address="a" password="p" agent="`+value+`"/>`)), environment)
		if err != nil {
			t.Errorf("%s: %v", value, err)
		} else if got := c.Hosts[0].Agent; got != want {
			t.Errorf("%s: %q", value, got)
		}
	}
	parsed(t, muster(`<host address="a" agent="/run/a"/>`)) // is a way to log in
	socket = ""
	got := mistakesIn(t, muster(`<host address="a" agent="SSH_AUTH_SOCK"/>`), environment)
	if len(got) != 1 || !strings.Contains(got[0], "SSH_AUTH_SOCK is not set") {
		t.Errorf("%q", got)
	}
}

func TestSecretsOfKeys(t *testing.T) {
	for text, want := range map[string]string{"x": "x", "env:SMTP_PASSWORD": "swordfish", "file:db.pass": "opensesame", "": ""} {
		h := parsed(t, muster(`<host address="a" key="k" passphrase="`+text+`"/>`)).Hosts[0]
		if h.Passphrase.Reveal() != want {
			t.Errorf("%q: %q", text, h.Passphrase.Reveal())
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", h, h, &h), "swordfish") {
			t.Error("the passphrase is printed")
		}
	}
}

// TestWhatTheDocumentSays is about what an ssh_config is not asked for.
func TestWhatTheDocumentSays(t *testing.T) {
	all := said{true, true, true, true, true, true, true, true}
	for attributes, want := range map[string]said{
		``:                                {keys: true},
		`user="u"`:                        {keys: true, user: true},
		`port="22"`:                       {keys: true, port: true},
		`agent="none"`:                    {keys: true, agent: true},
		`certificate=""`:                  {keys: true, certificates: true},
		`known-hosts="/h"`:                {keys: true, knownHosts: true},
		`known-as=""`:                     {keys: true, knownAs: true},
		`via="none"`:                      {keys: true, via: true},
		`password="p" host-keys="strict"`: {keys: true},
		`user="u" port="1" agent="none" certificate="c" known-hosts="/h" known-as="a" via="none"`: all,
	} {
		for _, document := range []string{
			`<group key="k"><host address="a" ` + attributes + `/></group>`,
			`<group key="k" ` + attributes + `><group><host address="a"/></group></group>`,
		} {
			notes := &notes{}
			from := notes.enter(&source{file: file, document: []byte(muster(document)), folder: filepath.Dir(file)})
			r := resolver{notes: notes, environment: fixture(), doubted: map[string]bool{}}
			r.learnStatistics()
			r.fleet(read(from, notes), nil)
			if got := r.machines[0].login.said; got != want || len(notes.list) > 0 {
				t.Errorf("%s: %+v, %v", document, got, notes.mistakes())
			}
		}
	}
}

func TestSSHConfigFile(t *testing.T) {
	environment := fixture()
	environment.Exists = func(path string) bool { return strings.HasSuffix(path, "config") }
	for attribute, want := range map[string]string{
		``:                        "/home/alice/.ssh/config",
		`ssh-config=""`:           "",
		`ssh-config="~/other"`:    "/home/alice/other",
		`ssh-config="ssh_config"`: "/etc/muster/ssh_config",
	} {
		c, err := Parse(file, []byte(muster(`<server `+attribute+`/>`)), environment)
		if err != nil || c.Server.SSHConfig != want {
			t.Errorf("%s: %v, %v", attribute, c, err)
		}
	}
	if c := parsed(t, muster(``)); c.Server.SSHConfig != "" {
		t.Errorf("%s is not there", c.Server.SSHConfig)
	}
}

func TestSpreadAndBackoff(t *testing.T) {
	for attributes, want := range map[string]string{
		``:                              "6s 5m0s",
		`interval="10s"`:                "1s 5m0s",
		`interval="1h"`:                 "30s 1h0m0s",
		`interval="1h" spread="1h"`:     "1h0m0s 1h0m0s",
		`spread="0" backoff="0"`:        "0s 0s",
		`spread="1s" backoff="30d"`:     "1s 720h0m0s",
		`interval="30d" backoff="100s"`: "30s 1m40s",
	} {
		s := parsed(t, muster(`<server `+attributes+`/>`)).Server
		if got := fmt.Sprint(s.Spread, " ", s.Backoff); got != want {
			t.Errorf("%s: %s, want %s", attributes, got, want)
		}
	}
}

// TestLoginMistakes has what single values do not tell; the documents in testdata/bad have one of each with its position.
func TestLoginMistakes(t *testing.T) {
	for document, want := range map[string][]string{
		`<host address="a" certificate="c" password="p"/>`:                                  {"needs the key that it certifies"},
		`<host address="a" certificate="c" agent="/s"/>`:                                    nil,
		`<host address="a" passphrase="x" password="p"/>`:                                   {"needs the key that it opens"},
		`<host address="a" passphrase="x" agent="/s"/>`:                                     {"needs the key that it opens"},
		`<group passphrase="x" certificate="c"><host address="a" key="k"/></group>`:         nil,
		`<group passphrase="x" password="p"><host address="a"/><host address="b"/></group>`: {"needs the key that it opens"},
		`<group key="k" passphrase="x"><host address="a" key="" password="p"/></group>`:     nil,
		`<host address="a" key="" passphrase="x" password="p"/>`:                            {"needs the key that it opens"},
		`<host address="a" key="k" authentication="password"/>`:                             {"no way to log in: it has only keys"},
		`<host address="a" password="p" authentication="publickey"/>`:                       {"no way to log in: it has only a password"},
		`<host address="a" password="p" authentication="keyboard-interactive"/>`:            nil,
		`<host address="a"/>`: {"no way to log in"},
		`<jump address="a"/>`: {"<jump> has no way to log in"},
		`<host address="a" key="k" fingerprint="` + fingerprint + `" known-hosts="/h"/>`:       {"means nothing beside fingerprint"},
		`<host address="a" key="k" fingerprint="` + fingerprint + `" known-as="x"/>`:           {"means nothing beside fingerprint"},
		`<host address="a" key="k" fingerprint="` + fingerprint + `" host-keys="accept-new"/>`: {"means nothing beside fingerprint"},
		`<host address="a" key="k" fingerprint="` + fingerprint + `" host-keys="strict"/>`:     nil,
		`<group sudo="yes"><host address="a" key="k" client="installed:C:\c.exe"/></group>`:    {"has no sudo"},
		`<group client="installed:C:\c.exe"><host address="a" key="k" sudo="yes"/></group>`:    {"has no sudo"},
		`<server spread="2m"/>`:                                                    {"must not be longer than the interval of the visits, 1m"},
		`<server interval="2m" spread="2m"/>`:                                      nil,
		`<server backoff="31d"/>`:                                                  {"must be from 0s to 30d"},
		`<group fingerprint="` + fingerprint + `"/>`:                               {`unknown attribute "fingerprint" of <group>`},
		`<host address="a" key="k" sessions="3"/>`:                                 {`unknown attribute "sessions" of <host>`},
		`<jump address="a" key="k" mail=""/>`:                                      {`unknown attribute "mail" of <jump>`},
		`<jump name="x" address="a" key="k"/><host name="X" address="b" key="k"/>`: {"the jump on line 2 has this name"},
		`<jump address="a" key="k"/><host address="a" key="k"/>`:                   {"leave the <jump> out"},
	} {
		got := mistakesIn(t, muster(document), fixture())
		matches := slices.EqualFunc(got, want, func(got, want string) bool { return strings.Contains(got, want) })
		if !matches {
			t.Errorf("%s:\ngot  %q\nwant %q", document, got, want)
		}
	}
	environment := fixture()
	environment.Access.Mode = 0o644
	got := mistakesIn(t, muster(`<host address="a" key="k" passphrase="hunter2"/>`), environment)
	if len(got) != 1 || !strings.Contains(got[0], "so it may hold no passphrase") || strings.Contains(got[0], "hunter2") {
		t.Errorf("a literal passphrase: %q", got)
	}
}
