package jump_test

import (
	"context"
	"testing"
	"time"

	"muster/internal/failure"
	"muster/internal/jump"
)

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
