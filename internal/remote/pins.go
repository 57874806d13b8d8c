package remote

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
)

var errNotPinned = errors.New("the configuration pins another")

// PinHostKeys returns the keys of a host of which the fingerprints are known, SHA256:… as ssh-keygen -l prints them: one of
// them must be that of the key that the host shows, and nothing else counts, neither known_hosts nor certificates.
func PinHostKeys(fingerprints ...string) *HostKeys {
	h := &HostKeys{lines: newKnownHosts(), known: make(map[string]*knownHost)}
	for _, fingerprint := range fingerprints {
		h.pins = append(h.pins, strings.TrimRight(fingerprint, "="))
	}
	return h
}

// checkPins returns nil if a key is one of the pinned ones.
func (h *HostKeys) checkPins(key ssh.PublicKey) *failure.Error {
	if slices.Contains(h.pins, ssh.FingerprintSHA256(key)) {
		return nil
	}
	return &failure.Error{
		Kind: failure.HostKeyChanged,
		Err:  fmt.Errorf("the host shows the %s, and %w: %s", describeKey(key), errNotPinned, strings.Join(h.pins, ", ")),
		Advice: "find out why: a reinstalled machine, or somebody in between; if the new fingerprint is the host's own " +
			`(ssh-keygen -lf on the host), write it into fingerprint="…"`,
	}
}

// keyType returns the type of the keys of an algorithm: those of RSA have several (RFC 8332).
func keyType(algorithm string) string {
	if algorithm == ssh.KeyAlgoRSASHA256 || algorithm == ssh.KeyAlgoRSASHA512 {
		return ssh.KeyAlgoRSA
	}
	return algorithm
}
