package remote_test

import (
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"muster/internal/failure"
	"muster/internal/remote"
)

// deafPort returns a port on which connections are neither accepted nor refused: its queue is full.
func deafPort(t *testing.T) int {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(socket) })
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(socket, 0); err != nil {
		t.Fatal(err)
	}
	address, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	port := address.(*syscall.SockaddrInet4).Port
	for { // until the queue is full
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
		if err != nil {
			return port
		}
		t.Cleanup(func() { conn.Close() })
	}
}

func TestDialEndsWhenNobodyAnswers(t *testing.T) {
	noLeak(t)
	o := remote.Options{
		Host: "web1", Address: "127.0.0.1", Port: deafPort(t), User: "u", Password: "p", HostKeys: knownHosts(t, ""),
		Deadlines: remote.Deadlines{Dial: short},
	}
	_, err := remote.Dial(within(t), o)
	want{failure.Dial, failure.Timeout, []string{"no answer from 127.0.0.1:", "150ms"}, []string{"firewall"}}.check(t, err)
}
