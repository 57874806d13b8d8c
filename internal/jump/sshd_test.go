package jump_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/jump"
	"muster/internal/remote"
	"muster/internal/testserver"
)

func TestThroughAJumpHost(t *testing.T) {
	s := newScene(t, jump.Options{})
	o := s.host(t)
	for range 3 {
		reaches(t, o)
	}
	if got := strings.Count(s.bastion.Log(), "Accepted publickey"); got != 1 {
		t.Errorf("%d logins on the jump host, want one", got)
	}
	if got := strings.Count(s.target.Log(), "Accepted publickey"); got != 3 {
		t.Errorf("%d logins on the host, want 3", got)
	}
	if s.pool.Connections() != 1 {
		t.Error("the connection was not kept")
	}
}

func TestThroughAChain(t *testing.T) {
	s := newScene(t, jump.Options{})
	outer := testserver.SSHD(t, testserver.SSHDOptions{})
	s.jump.Via = s.pool.Gateway("outer", jump.Host{Login: login(t, "outer", outer), Sessions: 1})
	reaches(t, s.host(t))
	// The connection to the inner one does not take the place of a visit.
	direct := login(t, "web2", s.target)
	direct.Through = s.jump.Via
	reaches(t, direct)

	// The failure names the one that failed, and says the way to it.
	for _, c := range []struct {
		name string
		fail *testserver.Sshd
		want want
	}{
		{"inner", s.bastion, want{failure.Dial, failure.Refused, "", []string{"outer cannot connect to"}, nil}},
		{"outer", outer, want{failure.Dial, failure.JumpFailed, "outer",
			[]string{"web1: dial: through bastion: dial: through outer: dial: ", "refused"}, []string{"at the jump host outer: nothing listens"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.fail.Stop()
			fresh := newPool(t, jump.Options{})
			inner := s.jump
			inner.Via = fresh.Gateway("outer", jump.Host{Login: login(t, "outer", outer)})
			o := login(t, "web1", s.target)
			o.Through = fresh.Gateway("bastion", inner)
			_, err := visit(within(t), o, sayPort)
			if c.name == "inner" { // the jump host in the middle is down
				want{failure.Dial, failure.JumpFailed, "bastion",
					[]string{"through bastion: dial: outer cannot connect to", "Connection refused"},
					[]string{"at the jump host bastion: seen from the jump host outer: check that sshd runs"}}.check(t, err)
				return
			}
			c.want.check(t, err)
		})
	}
}

func TestAHostBehindTheJumpHostThatDoesNotAnswer(t *testing.T) {
	s := newScene(t, jump.Options{})
	o := s.host(t)
	s.target.Stop()
	_, err := visit(within(t), o, sayPort)
	want{failure.Dial, failure.Refused, "", []string{"web1: dial: bastion cannot connect to 127.0.0.1:", "Connection refused"},
		[]string{"seen from the jump host bastion"}}.check(t, err)

	o.Address = "nobody.invalid"
	_, err = visit(within(t), o, sayPort)
	want{failure.Dial, failure.NoSuchHost, "", []string{"bastion cannot connect to nobody.invalid:"}, []string{"seen from the jump host bastion"}}.check(t, err)
}

func TestAJumpHostThatDoesNotForward(t *testing.T) {
	for _, line := range []string{"AllowTcpForwarding no", "PermitOpen 127.0.0.1:1", "DisableForwarding yes"} {
		t.Run(line, func(t *testing.T) {
			s := newScene(t, jump.Options{}, line)
			_, err := visit(within(t), s.host(t), sayPort)
			want{failure.Dial, failure.JumpRefused, "bastion", []string{"bastion does not let us through to 127.0.0.1:"},
				[]string{"AllowTcpForwarding", "PermitOpen"}}.check(t, err)
		})
	}
}

func TestAJumpHostWithoutSessions(t *testing.T) {
	s := newScene(t, jump.Options{}, "MaxSessions 0")
	reaches(t, s.host(t)) // what passes through is no session
}

// TestTheJumpHostIsVerifiedAndLoggedInToAsItself has one wrong thing at a time at the jump host, and all right behind it.
func TestTheJumpHostIsVerifiedAndLoggedInToAsItself(t *testing.T) {
	none, err := remote.LoadHostKeys(t.TempDir() + "/none")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *scene)
		want  want
	}{
		"unknown host key": {
			func(_ *testing.T, s *scene) { s.jump.Login.HostKeys = none },
			want{failure.Dial, failure.JumpFailed, "bastion", []string{"through bastion: handshake: no known_hosts file exists"},
				[]string{"at the jump host bastion: compare the fingerprint"}},
		},
		"changed host key": {
			func(t *testing.T, s *scene) { s.jump.Login.HostKeys = knownAs(t, s.target, s.bastion) },
			want{failure.Dial, failure.JumpFailed, "bastion", []string{"through bastion: handshake: the host shows the"},
				[]string{"at the jump host bastion: find out why"}},
		},
		"wrong key": {
			func(t *testing.T, s *scene) { s.jump.Login.Signers = []ssh.Signer{newKey(t)} },
			want{failure.Dial, failure.JumpFailed, "bastion", []string{"through bastion: authentication: the host rejected user"},
				[]string{"at the jump host bastion: check the user"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, jump.Options{})
			c.spoil(t, s)
			_, err := visit(within(t), s.host(t), sayPort)
			c.want.check(t, err)
			if log := s.target.Log(); strings.Contains(log, "Connection from") {
				t.Errorf("the host was connected to:\n%s", log)
			}
		})
	}
}

// TestTheHostBehindIsVerified has a jump host that leads to another machine than it should.
func TestTheHostBehindIsVerified(t *testing.T) {
	s := newScene(t, jump.Options{})
	o := s.host(t)
	o.HostKeys = knownAs(t, s.bastion, s.target)
	_, err := visit(within(t), o, sayPort)
	want{failure.Handshake, failure.HostKeyChanged, "", []string{"web1: handshake: the host shows the"}, nil}.check(t, err)
}

// knownAs returns host keys in which the key of one server is known as that of another.
func knownAs(t *testing.T, key, address *testserver.Sshd) *remote.HostKeys {
	t.Helper()
	line, err := os.ReadFile(key.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(address.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	return knownLines(t, strings.Fields(string(other))[0]+" "+strings.Join(strings.Fields(string(line))[1:], " ")+"\n")
}
