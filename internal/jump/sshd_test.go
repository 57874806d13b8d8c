package jump_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/jump"
	"muster/internal/remote"
	"muster/internal/sshtest"
	"muster/internal/testserver"
)

// scene is a jump host and a host behind it, both real.
type scene struct {
	bastion, target *testserver.Sshd
	pool            *jump.Pool
	jump            jump.Host
}

func newScene(t testing.TB, o jump.Options, bastion ...string) *scene {
	t.Helper()
	noLeak(t)
	s := &scene{
		bastion: testserver.SSHD(t, testserver.SSHDOptions{Config: bastion}),
		target:  testserver.SSHD(t, testserver.SSHDOptions{}),
		pool:    newPool(t, o),
	}
	s.jump.Login = login(t, "bastion", s.bastion)
	return s
}

// host is the host behind the jump host.
func (s *scene) host(t testing.TB) remote.Options {
	t.Helper()
	o := login(t, "web1", s.target)
	o.Through = s.pool.Gateway("bastion", s.jump)
	return o
}

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

// knownLines returns host keys from the lines of a known_hosts file.
func knownLines(t testing.TB, lines string) *remote.HostKeys {
	t.Helper()
	path := t.TempDir() + "/known_hosts"
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := remote.LoadHostKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newKey(t testing.TB) ssh.Signer {
	t.Helper()
	key, err := sshtest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// visits visits the host behind the jump host many times at once, and returns what became of them.
func (s *scene) visits(ctx context.Context, t testing.TB, count int, command string) []error {
	t.Helper()
	o := s.host(t)
	errs := make([]error, count)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = visit(ctx, o, command) })
	}
	all.Wait()
	return errs
}

func TestManyVisitsWaitForOneLogin(t *testing.T) {
	s := newScene(t, jump.Options{}, "MaxStartups 1", "MaxSessions 1", "LogLevel DEBUG1")
	s.jump.Sessions = 4
	for _, err := range s.visits(within(t), t, 40, "true") {
		if err != nil {
			t.Error(err)
		}
	}
	log := s.bastion.Log()
	if got := strings.Count(log, "Accepted publickey"); got != 1 {
		t.Errorf("%d logins on the jump host, want one", got)
	}
	if most, all := inside(log); most > 4 || most < 2 || all != 40 {
		t.Errorf("%d visits went through the jump host, and at most %d at once; want 40, and 4", all, most)
	}
}

// inside returns how many connections went through a jump host at once at most, and how many altogether, by the log of its
// sshd.
func inside(log string) (most, all int) {
	now := 0
	for line := range strings.Lines(log) {
		switch {
		case strings.Contains(line, ": new [direct-tcpip]"), strings.Contains(line, ": new direct-tcpip"):
			now++
			all++
			most = max(most, now)
		case strings.Contains(line, ": free: direct-tcpip"):
			now--
		}
	}
	return most, all
}

// hold makes visits that stay inside, and returns when all of them are.
func (s *scene) hold(t *testing.T, count int) (ended <-chan error) {
	t.Helper()
	s.jump.Sessions = count
	o := s.host(t)
	began, errs := make(chan error, count), make(chan error, count)
	ctx := within(t)
	for range count {
		go func() {
			conn, err := remote.Dial(ctx, o)
			if err != nil {
				began <- err
				return
			}
			defer conn.Close()
			process, err := conn.Start(ctx, "echo here; exec cat")
			began <- err
			if err != nil {
				return
			}
			_, _ = process.Stdout.Read(make([]byte, 5))
			_, err = process.Wait()
			errs <- err
		}()
	}
	for range count {
		if err := <-began; err != nil {
			t.Fatal(err)
		}
	}
	return errs
}

func TestAJumpHostThatDiesWithFortyVisitsInside(t *testing.T) {
	s := newScene(t, jump.Options{Retry: time.Millisecond, Keepalive: time.Hour}) // nothing but its death may end them
	s.bastion.NeedPassword(t)                                                     // else its connections outlive it
	ended := s.hold(t, 40)
	s.bastion.Stop()
	for range 40 {
		want{"", failure.JumpFailed, "bastion", []string{"through bastion: the connection"}, []string{"at the jump host bastion: "}}.check(t, <-ended)
	}
	if err := s.bastion.Restart(); err != nil {
		t.Fatal(err)
	}
	reaches(t, s.host(t))
}

func TestAJumpHostThatFreezes(t *testing.T) {
	s := newScene(t, jump.Options{Keepalive: 200 * time.Millisecond, Patience: 4 * time.Second, Retry: time.Millisecond})
	ended := s.hold(t, 10)
	freeze(t, s.bastion)
	for range 10 {
		want{"", failure.JumpFailed, "bastion", []string{"through bastion: the connection was lost: no answer for"}, nil}.check(t, <-ended)
	}
	// It still accepts connections, and says nothing: one visit finds out, for all.
	s.jump.Login.Deadlines.Handshake = 300 * time.Millisecond
	for _, err := range s.visits(within(t), t, 20, "true") {
		want{failure.Dial, failure.JumpFailed, "bastion", []string{"through bastion: handshake: not done within 300ms"}, nil}.check(t, err)
	}
}

// TestAVisitEndsByItsDeadlineInAFrozenJumpHost has a jump host that is not yet known to be frozen.
func TestAVisitEndsByItsDeadlineInAFrozenJumpHost(t *testing.T) {
	s := newScene(t, jump.Options{})
	o := s.host(t)
	reaches(t, o)
	freeze(t, s.bastion)
	o.Deadlines.Dial = 300 * time.Millisecond
	_, err := visit(within(t), o, "true")
	want{failure.Dial, failure.JumpFailed, "bastion", []string{"through bastion: it has not answered for 300ms"}, nil}.check(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	o.Deadlines.Dial = deadline
	_, err = visit(ctx, o, "true")
	want{failure.Dial, failure.Timeout, "", nil, nil}.check(t, err)

	// Its places are not lost, though it does not say that the connections are closed.
	thaw(t, s.bastion)
	reaches(t, o)
}

func TestARefusedPasswordIsNotRepeated(t *testing.T) {
	s := newScene(t, jump.Options{Retry: time.Millisecond})
	s.bastion.NeedPassword(t)
	s.jump.Login.Signers, s.jump.Login.Password = nil, "wrong"
	for range 3 {
		for _, err := range s.visits(within(t), t, 10, "true") {
			want{failure.Dial, failure.JumpFailed, "bastion", []string{"through bastion: authentication:"}, []string{"check the user and the password"}}.check(t, err)
		}
	}
	if got := strings.Count(s.bastion.AwaitLog(t, "Failed password"), "Failed password"); got != 1 {
		t.Errorf("the wrong password was sent %d times", got)
	}
	s.jump.Login.Password = s.bastion.Password // it was corrected
	reaches(t, s.host(t))
}

func TestALoginThatFailedIsNotRepeatedAtOnce(t *testing.T) {
	s := newScene(t, jump.Options{Retry: time.Hour})
	s.jump.Login.Signers = []ssh.Signer{newKey(t)}
	for range 3 {
		for _, err := range s.visits(within(t), t, 100, "true") {
			want{failure.Dial, failure.JumpFailed, "bastion", nil, nil}.check(t, err)
		}
	}
	if got := strings.Count(s.bastion.Log(), "Connection from"); got != 1 {
		t.Errorf("%d connections to the jump host, want one", got)
	}
	s.jump.Login = login(t, "bastion", s.bastion) // the key file was corrected
	reaches(t, s.host(t))
}

func TestOtherKeysMakeANewConnection(t *testing.T) {
	s := newScene(t, jump.Options{})
	reaches(t, s.host(t))
	ended := s.hold(t, 1)
	s.jump.Login.Signers = append(s.jump.Login.Signers, newKey(t)) // as after a change of the key files
	s.jump.Sessions = 2
	reaches(t, s.host(t))
	if got := strings.Count(s.bastion.Log(), "Accepted publickey"); got != 2 {
		t.Errorf("%d logins on the jump host, want 2", got)
	}
	select {
	case err := <-ended:
		t.Fatalf("who was inside was thrown out: %v", err)
	default:
	}
	if got := s.pool.Connections(); got != 2 {
		t.Errorf("%d connections, want the old one and the new", got)
	}
	_ = s.pool.Close()
	want{"", failure.Cancelled, "", nil, nil}.check(t, <-ended)
	_, err := visit(within(t), s.host(t), "true")
	want{failure.Dial, failure.Cancelled, "", nil, nil}.check(t, err)
}

// TestAnOlderConfigurationChangesNothing has visits by two configurations take turns.
func TestAnOlderConfigurationChangesNothing(t *testing.T) {
	s := newScene(t, jump.Options{})
	older := s.jump
	s.jump.Generation = 1
	s.jump.Login.Signers = append(slices.Clone(s.jump.Login.Signers), newKey(t))
	newer := s.jump
	for _, s.jump = range []jump.Host{older, newer, older, newer, older} {
		reaches(t, s.host(t))
	}
	if got := strings.Count(s.bastion.Log(), "Accepted publickey"); got != 2 {
		t.Errorf("%d logins on the jump host, want one by each configuration", got)
	}
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	s := newScene(t, jump.Options{Idle: 50 * time.Millisecond})
	reaches(t, s.host(t))
	for end := time.Now().Add(deadline); s.pool.Connections() > 0; {
		if time.Now().After(end) {
			t.Fatal("it is never closed")
		}
	}
	reaches(t, s.host(t))
}

func TestAVisitThatWaitsForAPlace(t *testing.T) {
	s := newScene(t, jump.Options{})
	ended := s.hold(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := visit(ctx, s.host(t), "true")
	want{failure.Dial, failure.Timeout, "bastion", []string{"no place on the jump host bastion, which lets 1 connections through at once"},
		[]string{"sessions"}}.check(t, err)
	if len(ended) > 0 {
		t.Error(<-ended)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = visit(cancelled, s.host(t), "true")
	want{failure.Dial, failure.Cancelled, "", nil, nil}.check(t, err)
}

// TestFailuresOfOneJumpHostAreOneCause asks what a report over many hosts would.
func TestFailuresOfOneJumpHostAreOneCause(t *testing.T) {
	s := newScene(t, jump.Options{})
	s.bastion.Stop()
	var causes []string
	for _, err := range s.visits(within(t), t, 100, "true") {
		var found *failure.Error
		if !errors.As(err, &found) {
			t.Fatal(err)
		}
		causes = append(causes, found.Jump+" "+string(found.Kind)+" "+found.Err.Error())
	}
	slices.Sort(causes)
	if causes = slices.Compact(causes); len(causes) != 1 {
		t.Errorf("got %q", causes)
	}
}
