package config

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// withSSHConfig is the fixture with a ~/.ssh/config, and keys beside it.
func withSSHConfig(content string) Environment {
	environment := fixture()
	environment.Hostname = "here"
	environment.Exists = func(path string) bool {
		return path == "/home/alice/.ssh/config" || strings.HasPrefix(path, "/home/alice/.ssh/key")
	}
	inner := environment.ReadFile
	environment.ReadFile = func(path string, limit int) ([]byte, Access, error) {
		if path == "/home/alice/.ssh/config" {
			return []byte(content), Access{}, nil
		}
		return inner(path, limit)
	}
	return environment
}

// reached says how a host is reached, as a person would write it.
func reached(h *Host) string {
	var b strings.Builder
	if h.Via != nil {
		b.WriteString(reached(h.Via) + " > ")
	}
	b.WriteString(h.User + "@" + defaultName(h.Address, h.Port))
	for _, part := range []struct{ name, value string }{
		{"keys", strings.Join(h.Keys, ",")}, {"certificates", strings.Join(h.Certificates, ",")}, {"agent", h.Agent},
		{"known as", h.KnownAs}, {"trouble", h.Trouble},
	} {
		if part.value != "" {
			b.WriteString(" " + part.name + " " + strings.ReplaceAll(part.value, "/home/alice/.ssh/", ""))
		}
	}
	return b.String()
}

const everyday = `
Host web1
  HostName 10.0.0.1
  Port 2222
  User ops
  IdentityFile ~/.ssh/key1
  IdentityFile ~/.ssh/missing
  CertificateFile ~/.ssh/key1-cert.pub
  HostKeyAlias web
Host db1
  ProxyJump bastion
  IdentityFile ~/.ssh/key-%h-%r
Host bastion
  HostName gate.example.org
  User jump
  Port 2200
Host deep
  ProxyJump joe@outer:2022,bastion
Host deeper
  ProxyJump far
Host far
  ProxyJump bastion
Host self
  ProxyJump self
Host agent
  IdentityAgent ~/.ssh/agent
Host command
  ProxyCommand nc %h %p
Host exec*
Match host exec* exec true
  User none
Host *
  IdentityFile ~/.ssh/key
`

func TestSSHConfigSaysWhatTheDocumentDoesNot(t *testing.T) {
	for line, want := range map[string]string{
		`<host address="web1"/>`: "ops@10.0.0.1:2222 keys key1,key certificates key1-cert.pub known as web",
		`<host address="web1" user="u" port="22" key="/k" known-as=""/>`:            "u@10.0.0.1 keys /k certificates key1-cert.pub",
		`<host address="web1" key="/k" certificate=""/>`:                            "ops@10.0.0.1:2222 keys /k known as web",
		`<host address="web1" password="env:SMTP_PASSWORD"/>`:                       "ops@10.0.0.1:2222 known as web",
		`<host name="web1" address="10.0.0.9"/>`:                                    "alice@10.0.0.9 keys key",
		`<host address="db1"/>`:                                                     "jump@gate.example.org:2200 keys key > alice@db1 keys key-db1-alice,key",
		`<host address="db1" via="none"/>`:                                          "alice@db1 keys key-db1-alice,key",
		`<host address="db1" user="u" via="other"/>`:                                "u@other keys key > u@db1 keys key-db1-u,key",
		`<jump name="bastion" address="b" user="j" key="/j"/><host address="db1"/>`: "j@b keys /j > alice@db1 keys key-db1-alice,key",
		`<host address="deep"/>`:                                                    "joe@outer:2022 keys key > jump@gate.example.org:2200 keys key > alice@deep keys key",
		`<host address="deeper"/>`:                                                  "jump@gate.example.org:2200 keys key > alice@far keys key > alice@deeper keys key",
		`<host address="other" via="far"/>`:                                         "jump@gate.example.org:2200 keys key > alice@far keys key > alice@other keys key",
		`<host address="agent" key=""/>`:                                            "alice@agent agent agent",
		`<host address="command"/>`:                                                 "alice@command keys key trouble config:28: ProxyCommand is not run: say ProxyJump, or via=\"…\" in muster.xml (via=\"none\": the host is reached directly)",
		`<host address="command" via="none"/>`:                                      "alice@command keys key",
		`<host address="exec1"/>`:                                                   "alice@exec1 keys key trouble config:30: Match exec is not looked at: say in muster.xml how the host is reached",
		`<server ssh-config=""/><host address="web1" key="/k"/>`:                    "alice@web1 keys /k",
	} {
		c, err := Parse(file, []byte(muster(line)), withSSHConfig(everyday))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := reached(&c.Hosts[0]); got != want {
			t.Errorf("%s: got\n\t%s, want\n\t%s", line, got, want)
		}
		if trouble := strings.Contains(want, "trouble"); trouble != (len(c.Warnings) > 0) {
			t.Errorf("%s: warnings %v", line, c.Warnings)
		}
	}
}

func TestSSHConfigOnHostKeys(t *testing.T) {
	for content, want := range map[string]string{
		"":                                 "strict /home/alice/.ssh/known_hosts",
		"StrictHostKeyChecking accept-new": "accept-new /home/alice/.ssh/known_hosts",
		"StrictHostKeyChecking ask":        "strict /home/alice/.ssh/known_hosts",
		"StrictHostKeyChecking no":         "strict /home/alice/.ssh/known_hosts warned",
		"UserKnownHostsFile ~/.ssh/%n /a":  "strict /home/alice/.ssh/web1 /a",
		"UserKnownHostsFile /dev/null":     "strict /home/alice/.ssh/known_hosts troubled warned",
		"UserKnownHostsFile %C":            "strict  troubled warned",
	} {
		for line, want := range map[string]string{
			`<host address="web1" key="/k"/>`:                                         want,
			`<host address="web1" key="/k" host-keys="strict" known-hosts="/known"/>`: "strict /known",
		} {
			document := muster(`<server ssh-config="~/.ssh/config"/>` + line)
			c, err := Parse(file, []byte(document), withSSHConfig(content))
			if content == "UserKnownHostsFile %C" && err != nil {
				continue // nothing is left to verify by, which is a mistake
			}
			if err != nil {
				t.Errorf("%s: %v", content, err)
				continue
			}
			h := c.Hosts[0]
			got := h.HostKeys + " " + strings.Join(h.KnownHosts, " ")
			if h.Trouble != "" {
				got += " troubled"
			}
			if len(c.Warnings) > 0 {
				got += " warned"
			}
			if got != want {
				t.Errorf("%s: got %q, want %q", content, got, want)
			}
		}
	}
}

// TestSSHConfigLeavesTheMachinesHostKeys wants the machine's file read beside those of an ssh_config, as ssh does: what it
// revokes is revoked.
func TestSSHConfigLeavesTheMachinesHostKeys(t *testing.T) {
	const machine = "/etc/ssh/ssh_known_hosts"
	for content, want := range map[string]string{
		"":                                 "/home/alice/.ssh/known_hosts " + machine,
		"UserKnownHostsFile /a":            "/a " + machine,
		"UserKnownHostsFile /a " + machine: "/a " + machine,
	} {
		for line, want := range map[string]string{
			`<host address="web1" key="/k"/>`:                      want,
			`<host address="web1" key="/k" known-hosts="/known"/>`: "/known",
		} {
			environment := withSSHConfig(content)
			inner := environment.Exists
			environment.Exists = func(path string) bool { return path == machine || inner(path) }
			c, err := Parse(file, []byte(muster(`<server ssh-config="~/.ssh/config"/>`+line)), environment)
			if err != nil {
				t.Errorf("%s: %v", content, err)
				continue
			}
			if got := strings.Join(c.Hosts[0].KnownHosts, " "); got != want {
				t.Errorf("%q, %s: got %q, want %q", content, line, got, want)
			}
		}
	}
}

func TestSSHConfigThatLeavesOutTheMachinesHostKeysIsDoubted(t *testing.T) {
	for value, doubted := range map[string]bool{"none": true, "/elsewhere": true, "/etc/ssh/ssh_known_hosts": false} {
		c, err := Parse(file, []byte(muster(`<host address="web1" key="/k"/>`)), withSSHConfig("GlobalKnownHostsFile "+value))
		if err != nil || doubted != (len(c.Warnings) > 0) {
			t.Errorf("%s: %v, %v", value, c.Warnings, err)
		}
	}
}

func TestSSHConfigThatCanNotBeRead(t *testing.T) {
	for attribute, c := range map[string]struct{ content, want string }{
		``:                            {"Host", `2:1: "/home/alice/.ssh/config" can't be used: /home/alice/.ssh/config:1: "Host" says nothing; correct it, or say ssh-config="" if it is not to be read`},
		`ssh-config="~/.ssh/config"`:  {"Host", `2:9: ssh-config="~/.ssh/config" of <server>: it can't be used: /home/alice/.ssh/config:1: "Host" says nothing`},
		`ssh-config="~/.ssh/missing"`: {"", `2:9: ssh-config="~/.ssh/missing" of <server>: it can't be used: read ssh_config: ` + fs.ErrNotExist.Error()},
	} {
		got := mistakesIn(t, muster(`<server `+attribute+`/>`), withSSHConfig(c.content))
		if !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: got %q", attribute, got)
		}
	}
}

// TestSSHConfigIsDoubtedOnce has many hosts that one line concerns.
func TestSSHConfigIsDoubtedOnce(t *testing.T) {
	document := muster("\n" + strings.Repeat(`<host address="a"/>`, 1) + `<host address="b"/><host address="c" port="1"/>`)
	c, err := Parse(file, []byte(document), withSSHConfig("IdentityFile ~/.ssh/key\nHost a b c\nProxyCommand x\nBindAddress y\n"))
	if err != nil || len(c.Warnings) != 2 {
		t.Fatalf("%v, %v", c, err)
	}
	for _, w := range c.Warnings {
		if w.Line != 3 || !strings.HasSuffix(w.Message, `: "a" and 2 more`) && !strings.HasSuffix(w.Message, `it concerns "a" and 2 more`) {
			t.Errorf("got %s", w)
		}
	}
}

func TestSSHConfigThatLeadsInACircle(t *testing.T) {
	for _, c := range []struct{ content, host, says string }{
		{"Host x\nProxyJump y\nHost y\nProxyJump z\nHost z\nProxyJump y", "x", "leads in a circle: y through z through y"},
		{"Host x\nProxyJump a b c/:d", "x", `is neither the name of a <jump> or <host>`},
	} {
		got := mistakesIn(t, muster(`<host key="/k" address="`+c.host+`"/>`), withSSHConfig(c.content))
		if len(got) != 1 || !strings.Contains(got[0], c.says) {
			t.Errorf("%s: got %q", c.content, got)
		}
	}
}
