package testserver

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports that servers are given. Systems give the near end of a connection, and a listener on port 0, a port beyond
// them (Linux 32768 and up, others 49152 and up): no such port becomes a server's while it is being started, or stopped for
// a while.
const (
	firstPort = 20000
	lastPort  = 32767
)

// reservePorts returns ports of 127.0.0.1 on which nobody listens, and which no other test is given until this one ends,
// in whatever process it runs: a UDP socket at the same number, which nothing here uses, says that a port is taken.
func reservePorts(t testing.TB, number int) []int {
	t.Helper()
	ports := make([]int, number)
	for i := range ports {
		var err error
		for range 1000 {
			var mark net.PacketConn
			ports[i] = firstPort + rand.IntN(lastPort-firstPort+1)
			if mark, err = reservePort(ports[i]); err == nil {
				t.Cleanup(func() { _ = mark.Close() })
				break
			}
		}
		if err != nil {
			t.Fatalf("no port is free: %v", err)
		}
	}
	return ports
}

// reservePort reserves a port until its mark is closed; an error if it is taken.
func reservePort(port int) (mark net.PacketConn, err error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if mark, err = net.ListenPacket("udp", address); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err == nil {
		err = listener.Close()
	}
	if err != nil {
		return nil, errors.Join(err, mark.Close())
	}
	return mark, nil
}
