package testserver_test

import (
	"runtime"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/testserver"
)

// A goroutine that ends with its thread takes no server with it: the kernel ends what is to die with its parent when the
// thread dies that started it.
func TestSSHDOutlivesTheThreadOfATest(t *testing.T) {
	var s *testserver.Sshd
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		s = testserver.SSHD(t, testserver.SSHDOptions{})
	}()
	<-ended
	s.NeedPassword(t)
	for range 3 {
		if out, err := login(t, s, ssh.Password(s.Password), "echo there"); err != nil || out != "there" {
			t.Fatalf("%q (%v)", out, err)
		}
	}
}
