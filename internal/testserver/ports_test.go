package testserver

import (
	"net"
	"strconv"
	"testing"
)

func TestReservedPorts(t *testing.T) {
	var ports []int
	t.Run("while the test runs", func(t *testing.T) {
		ports = reservePorts(t, 20)
		seen := make(map[int]bool)
		for _, port := range ports {
			if seen[port] || port < firstPort || port > lastPort {
				t.Errorf("port %d, of %v", port, ports)
			}
			seen[port] = true
			if mark, err := reservePort(port); err == nil {
				_ = mark.Close()
				t.Errorf("port %d is reserved twice", port)
			}
			listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
			if err != nil {
				t.Fatalf("its server can't have it: %v", err)
			}
			_ = listener.Close()
		}
	})
	mark, err := reservePort(ports[0])
	if err != nil {
		t.Fatalf("it stays reserved: %v", err)
	}
	_ = mark.Close()
}

func TestAPortThatIsInUseIsNotReserved(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	if mark, err := reservePort(port); err == nil {
		_ = mark.Close()
		t.Error("it is reserved")
	}
	// What was marked for it is free again.
	mark, err := net.ListenPacket("udp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = mark.Close()
}
