package jump_test

import (
	"context"
	"sync"
	"testing"

	"muster/internal/jump"
	"muster/internal/remote"
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
