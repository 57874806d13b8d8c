package remote

import (
	"net"

	"golang.org/x/crypto/ssh"
)

// CheckHostKey does what a dial does with known_hosts. If anew, nothing that was found before is used.
func CheckHostKey(h *HostKeys, address string, remote net.Addr, key ssh.PublicKey, anew bool) {
	if anew {
		h.mu.Lock()
		clear(h.known)
		h.mu.Unlock()
	}
	h.algorithms(address)
	if found := h.check(address, remote, key); found != nil {
		panic(found)
	}
}
