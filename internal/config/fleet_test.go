package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	c := parsed(t, muster(`<host address="a.example" key="id"/>`))
	want := Config{
		File: file,
		Server: Server{
			Data:      "/home/alice/.local/state/muster",
			Interval:  time.Minute,
			Parallel:  256,
			LogLevel:  "info",
			LogFormat: "text",
			Spread:    6 * time.Second,
			Backoff:   5 * time.Minute,
		},
		Database: Database{URL: "sqlite:/home/alice/.local/state/muster/muster.db"},
		Queue:    Queue{Replicas: 1, Size: 4 << 30, Age: 7 * 24 * time.Hour},
		Hosts: []Host{{
			Name:           "a.example",
			Address:        "a.example",
			Port:           22,
			User:           "alice",
			Keys:           []string{"/etc/muster/id"},
			KnownHosts:     []string{"/home/alice/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"},
			HostKeys:       "strict",
			Sessions:       16,
			Transfer:       "stdout",
			Authentication: []string{"publickey", "password", "keyboard-interactive"},
			Timeouts: Timeouts{
				Dial: 10 * time.Second, Handshake: 15 * time.Second, Authentication: 20 * time.Second,
				Platform: 30 * time.Second, Deploy: time.Minute, Run: 30 * time.Second, Receive: 30 * time.Second,
				Visit: 2 * time.Minute,
			},
			Limits: []Limit{
				{Statistic: "visit.failed", Unit: "1", Above: new(float64)}, {Statistic: "logs.gaps", Unit: "1", Above: new(float64)},
				{Statistic: "logs.failed", Unit: "1", Above: new(float64)},
			},
		}},
	}
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("got\n%+v\nwant\n%+v", *c, want)
	}
}

func TestDesignDocument(t *testing.T) {
	c := parsed(t, string(documents(t, "good")[filepath.Join("testdata", "good", "design.xml")]))
	if c.Server.Data != "/var/lib/muster" || c.Database.URL != "mysql://muster@127.0.0.1:3306/muster" ||
		c.Database.Password.Reveal() != "opensesame" {
		t.Errorf("server %+v, database %+v", c.Server, c.Database)
	}
	m := c.Mail
	if m.Host != "smtp.example.org" || m.Port != 587 || m.Security != "starttls" || m.Username != "muster" ||
		m.Password.Reveal() != "swordfish" || m.From != `"Muster" <muster@example.org>` || m.Timeout != 10*time.Second {
		t.Errorf("mail %+v", m)
	}
	var names []string
	for _, h := range c.Hosts {
		names = append(names, fmt.Sprintf("%s %v %s %d %s %s %v", h.Name, h.Groups, h.Address, h.Port, h.User, strings.Join(h.Keys, ","), h.Mail))
	}
	want := []string{
		"10.0.0.11 [web] 10.0.0.11 22 monitor /home/alice/.ssh/id_ed25519 [ops@example.org]",
		"db1 [web] db1.example.org 2222 monitor /home/alice/.ssh/id_ed25519 [ops@example.org]",
		"10.0.0.31 [windows] 10.0.0.31 22 muster  [security@example.org]",
	}
	if !slices.Equal(names, want) {
		t.Errorf("hosts\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
	if got := c.host(t, "db1").texts(); got != "visit.failed > 0 1, logs.gaps > 0 1, logs.failed > 0 1, cpu.usage > 90 % for 5m0s, memory.usage > 80 %, disk.usage{/var} > 85 %" {
		t.Errorf("limits of db1: %s", got)
	}
	if c.host(t, "10.0.0.31").Password.Reveal() != "swordfish" {
		t.Error("the group's password is not the host's")
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
}

// texts returns a host's limits as one line.
func (h Host) texts() string {
	var texts []string
	for _, l := range h.Limits {
		text := l.Statistic
		if l.Instance != "" {
			text += "{" + l.Instance + "}"
		}
		if l.Above != nil {
			text += fmt.Sprintf(" > %v", *l.Above)
		}
		if l.Below != nil {
			text += fmt.Sprintf(" < %v", *l.Below)
		}
		text += " " + l.Unit
		if l.For != 0 {
			text += " for " + l.For.String()
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

func TestEveryAttributeIsInheritedAndReplaced(t *testing.T) {
	c := parsed(t, muster(`
<mail host="m" from="m@example.org" to="all@example.org"/>
<group name="outer" user=" u1 " key=" /k1 " password="p1" port="1001" known-hosts=" /h1 " transfer="file" directory=" /d1 "
       mail="m1@example.org">
  <host name="outer" address="a"/>
  <group name="inner">
    <host name="inner" address="b"/>
    <host name="own" address="c" user="u2" key="/k2" password="p2" port="1002" known-hosts="~/h2,h3" transfer="stdout"
          directory="/d2" mail="m2@example.org, m3@example.org"/>
    <host name="none" address="d" key="" directory="" mail=""/>
    <host name="key" address="e" password=""/>
  </group>
</group>
<host name="outside" address="f" key="k"/>`))
	shown := func(name string) string {
		h := c.host(t, name)
		return fmt.Sprintf("%v %s %s %s %d %v %s %q %q", h.Groups, h.User, strings.Join(h.Keys, ","), h.Password.Reveal(), h.Port, h.KnownHosts,
			h.Transfer, h.Directory, h.Mail)
	}
	for name, want := range map[string]string{
		"outer":   `[outer] u1 /k1 p1 1001 [/h1] file "/d1" ["m1@example.org"]`,
		"inner":   `[outer inner] u1 /k1 p1 1001 [/h1] file "/d1" ["m1@example.org"]`,
		"own":     `[outer inner] u2 /k2 p2 1002 [/home/alice/h2 /etc/muster/h3] stdout "/d2" ["m2@example.org" "m3@example.org"]`,
		"none":    `[outer inner] u1  p1 1001 [/h1] file "" []`,
		"key":     `[outer inner] u1 /k1  1001 [/h1] file "/d1" ["m1@example.org"]`,
		"outside": `[] alice /etc/muster/k  22 [/home/alice/.ssh/known_hosts /etc/ssh/ssh_known_hosts] stdout "" ["all@example.org"]`,
	} {
		if got := shown(name); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
}

func TestTimeoutsAreInheritedOneByOne(t *testing.T) {
	c := parsed(t, muster(`
<host name="outside" address="a" key="k"/>
<group key="k">
  <host name="group" address="b"/>
  <host name="host" address="c"><timeouts run="3s" visit="4s"/></host>
  <timeouts dial="2s" run="2s" handshake="2s" authentication="2s" platform="2s" deploy="2s" receive="2s"/>
</group>
<timeouts dial="1s" visit="50s"/>`))
	const s = time.Second
	for name, want := range map[string]Timeouts{
		"outside": {1 * s, 15 * s, 20 * s, 30 * s, 60 * s, 30 * s, 30 * s, 50 * s},
		"group":   {2 * s, 2 * s, 2 * s, 2 * s, 2 * s, 2 * s, 2 * s, 50 * s},
		"host":    {2 * s, 2 * s, 2 * s, 2 * s, 2 * s, 3 * s, 2 * s, 4 * s},
	} {
		if got := c.host(t, name).Timeouts; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestHostsStandInTheOrderOfTheDocument(t *testing.T) {
	c := parsed(t, muster(`
<host address="h1" key="k"/>
<group key="k"><host address="h2"/><group><host address="h3"/></group><host address="h4"/></group>
<host address="h5" key="k"/>
<group key="k"><host address="h6"/></group>`))
	var names []string
	for _, h := range c.Hosts {
		names = append(names, h.Name)
	}
	if got := strings.Join(names, " "); got != "h1 h2 h3 h4 h5 h6" {
		t.Error(got)
	}
}

func TestGroupsDoNotShareTheirNames(t *testing.T) {
	c := parsed(t, muster(`
<group key="k" name="a"><group name="b"><group><group name="c">
  <group name="d"><host address="h1"/></group>
  <group name="e"><host address="h2"/></group>
</group></group></group></group>`))
	if got := fmt.Sprint(c.Hosts[0].Groups, c.Hosts[1].Groups); got != "[a b c d] [a b c e]" {
		t.Error(got)
	}
}

func TestAddressesAndNames(t *testing.T) {
	for _, c := range []struct{ attributes, address, name string }{
		{`address="a.example"`, "a.example", "a.example"},
		{`address="a.example" port="22"`, "a.example", "a.example"},
		{`address="a.example" port="2222"`, "a.example", "a.example:2222"},
		{`address="[2001:DB8:0::1]"`, "2001:db8::1", "2001:db8::1"},
		{`address="2001:db8::1" port="2222"`, "2001:db8::1", "[2001:db8::1]:2222"},
		{`address="fe80::1%eth0"`, "fe80::1%eth0", "fe80::1%eth0"},
		{`address="10.0.0.1" name=" x  y "`, "10.0.0.1", "x  y"},
	} {
		h := parsed(t, muster(`<host key="k" `+c.attributes+`/>`)).Hosts[0]
		if h.Address != c.address || h.Name != c.name {
			t.Errorf("%s: address %q, name %q", c.attributes, h.Address, h.Name)
		}
	}
}

func TestReceivers(t *testing.T) {
	for text, want := range map[string]string{
		`a@example.org`:                                      `["a@example.org"]`,
		`A &lt;a@example.org&gt;`:                            `["\"A\" <a@example.org>"]`,
		`Ops, &quot;x, y&quot; &lt;a@b.example&gt;`:          ``,
		`&quot;x, \&quot;y&quot; &lt;a@b.example&gt;`:        `["\"x, \\\"y\" <a@b.example>"]`,
		`Käthe &lt;k@b.example&gt;`:                          `["\"Käthe\" <k@b.example>"]`,
		`a@b.example, A@B.example, X &lt;a@b.example&gt;`:    `["a@b.example"]`,
		`=?utf-8?q?K=C3=A4the?= &lt;k@b.example&gt;`:         `["\"Käthe\" <k@b.example>"]`,
		`=?utf-8?q?K=0D=0ABcc:_evil@x?= &lt;k@b.example&gt;`: ``,
		`ops: a@b.example, c@b.example;`:                     `["a@b.example" "c@b.example"]`,
		`a@b.example c@b.example`:                            ``,
		`a@b.example&#10;Bcc: c@b.example`:                   ``,
		`&quot;odd name&quot;@b.example`:                     `["\"odd name\"@b.example"]`,
		`a@[192.0.2.1]`:                                      `["a@[192.0.2.1]"]`,
	} {
		document := muster(`<mail host="m" from="m@example.org" to="x@example.org"/><host address="a" key="k" mail="` + text + `"/>`)
		c, err := Parse(file, []byte(document), fixture())
		if want == "" {
			if err == nil {
				t.Errorf("%s: accepted as %q", text, c.Hosts[0].Mail)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := fmt.Sprintf("%q", c.Hosts[0].Mail); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestWrongNamesAreNotRepeated(t *testing.T) {
	for _, wrong := range []string{
		`<host address="a" port="x"/>`,
		`<host address="a" prot="2222"/>`,
		`<host address="a" name=""/>`,
		`<host address="b" nmae="a"/>`,
	} {
		document := muster(`<group key="k">` + wrong + `<host address="a"/></group>`)
		if got := mistakesIn(t, document, fixture()); len(got) != 1 {
			t.Errorf("%s: %q", wrong, got)
		}
	}
}
