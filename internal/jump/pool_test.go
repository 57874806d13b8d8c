package jump_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/jump"
)

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
