package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"muster/internal/testserver"
)

// fenced is a place with a jump host and hosts behind it.
type fenced struct {
	*place
	bastion, host *testserver.Sshd
}

func newFenced(t *testing.T) *fenced {
	t.Helper()
	g := &fenced{newPlace(t), testserver.SSHD(t, testserver.SSHDOptions{}), testserver.SSHD(t, testserver.SSHDOptions{})}
	g.bastion.NeedPassword(t) // else what Stop leaves of it lives on
	if err := os.Mkdir(g.path(".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	return g
}

// login is the attributes of an element that is logged in to a server with its key.
func login(s *testserver.Sshd) string {
	return fmt.Sprintf(`user=%q key=%q known-hosts=%q`, s.User, s.KeyFile, s.KnownHosts)
}

func TestRunThroughAJumpHost(t *testing.T) {
	g := newFenced(t)
	direct := testserver.SSHD(t, testserver.SSHDOptions{})
	var hosts strings.Builder
	for i := range 8 {
		fmt.Fprintf(&hosts, `<host name="web%d" address=%q port="%d"/>`, i, g.host.Address, g.host.Port)
	}
	g.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1">
		<server data="data"/>
		<jump name="bastion" address=%q port="%d" %s sessions="3"/>
		<group name="inner" %s via="bastion">%s</group>
		<host name="direct" address=%q port="%d" %s/>
	</muster>`, g.bastion.Address, g.bastion.Port, login(g.bastion), login(g.host), &hosts,
		direct.Address, direct.Port, login(direct)))
	if r := decode[sweepResult](t, g.want(0, "run", "--json").stdout); r.Reported != 9 || len(r.Failed) != 0 {
		t.Errorf("got %+v", r)
	}
	if got := strings.Count(g.bastion.Log(), "Accepted publickey"); got != 1 {
		t.Errorf("%d logins on the jump host, want one", got)
	}
	if out := g.want(0, "status", "--json").stdout; !strings.Contains(out, fmt.Sprintf(`bastion \u003e 127.0.0.1:%d"`, g.host.Port)) &&
		!strings.Contains(out, fmt.Sprintf(`bastion > 127.0.0.1:%d"`, g.host.Port)) {
		t.Errorf("the way is not shown:\n%s", out)
	}

	g.bastion.Stop()
	result := decode[sweepResult](t, g.want(1, "run", "--json").stdout)
	if result.Reported != 1 || len(result.Failed) != 8 {
		t.Fatalf("got %+v", result)
	}
	for _, f := range result.Failed {
		if f.Stage != "dial" || f.Kind != "jump-failed" || !strings.Contains(f.Error, "through bastion: dial: ") ||
			!strings.HasPrefix(f.Advice, "at the jump host bastion: nothing listens") {
			t.Errorf("got %+v", f)
		}
	}
}

// TestRunThroughAJumpHostOfSSHConfig has all that says how to reach the hosts in ~/.ssh/config.
func TestRunThroughAJumpHostOfSSHConfig(t *testing.T) {
	g := newFenced(t)
	known, err := os.ReadFile(g.host.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := os.ReadFile(g.bastion.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(string(known), " ")
	g.write(".ssh/known_hosts", "inner-host "+key+string(outer))
	g.write(".ssh/hosts", fmt.Sprintf("Host web1 web2\n HostName %s\n Port %d\n IdentityFile %s\n HostKeyAlias inner-host\n",
		g.host.Address, g.host.Port, g.host.KeyFile))
	g.write(".ssh/config", fmt.Sprintf(`
Include hosts
Match originalhost web*,!web9
  ProxyJump gate
Host gate
  HostName %s
  Port %d
  IdentityFile %s
Host strange
  ProxyCommand nc %%h %%p
  IdentityFile %s
Host *
  User %s
`, g.bastion.Address, g.bastion.Port, g.bastion.KeyFile, g.host.KeyFile, g.host.User))
	g.write("muster.xml", `<muster xmlns="urn:muster:config:1">
		<server data="data"/>
		<host address="web1"/>
		<host address="web2"/>
		<host address="strange"/>
	</muster>`)
	r := g.want(1, "run", "--json")
	result := decode[sweepResult](t, r.stdout)
	if result.Reported != 2 || len(result.Failed) != 1 {
		t.Fatalf("got %+v\n%s", result, r.stderr)
	}
	if f := result.Failed[0]; f.Host != "strange" || f.Kind != "configuration" || !strings.Contains(f.Error, "ProxyCommand is not run") {
		t.Errorf("got %+v", f)
	}
	if !strings.Contains(r.stderr, `.ssh/config:10: ProxyCommand is not run`) {
		t.Errorf("there is no warning:\n%s", r.stderr)
	}
	if got := strings.Count(g.bastion.Log(), "Accepted publickey"); got != 1 {
		t.Errorf("%d logins on the jump host, want one", got)
	}
	if out := g.want(1, "status").stdout; !strings.Contains(out, "strange (strange:22): dial: ") {
		t.Errorf("got\n%s", out)
	}
}
