package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"muster/internal/failure"
)

// maxKnownHosts bounds a known_hosts file: about half a million lines.
const maxKnownHosts = 64 << 20

// HostKeys is the content of known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): plain, hashed and wildcard names,
// ports, several keys a host, @cert-authority and @revoked. As with ssh, a line for a host without a port also holds for
// its other ports, if its key is right and no line names the port; a host whose certificate is not good may still prove
// itself with the certificate's key, if a line has that. Unlike with ssh, a revoked key is revoked for all hosts, whatever
// name stands beside it. A HostKeys is immutable; a changed file is loaded anew.
//
// That is strict. A HostKeys that accepts new keys, and one of pinned keys, are made by AcceptNew and PinHostKeys.
type HostKeys struct {
	files    []string // as they were named
	absent   bool     // none of them exists
	lines    *knownHosts
	recorder *Recorder // records the keys of unknown hosts, which are then accepted; nil: they are not
	pins     []string  // fingerprints: if there are any, nothing else counts

	mu    sync.RWMutex
	known map[string]*knownHost // what was found, by address, host:port
}

// knownHost is what the files say of one address.
type knownHost struct {
	keys        []*knownLine
	authorities []*knownLine
	unported    bool     // the keys are those of the host without the port
	algorithms  []string // in which the host can prove itself; empty: the host is unknown
}

// isNew tells whether no line speaks of the host, under this port.
func (k *knownHost) isNew() bool { return len(k.authorities) == 0 && (len(k.keys) == 0 || k.unported) }

// LoadHostKeys reads known_hosts files. Files that do not exist are passed over, as ssh does: where none exists every
// host is unknown, and the failure to dial it says how to begin one. A line that cannot be understood is an error with its file and line, since it may be the @revoked one; only lines
// whose keys are of types that are not supported at all are passed over, again as ssh does. Errors are *failure.Error of the
// kind failure.Configuration.
func LoadHostKeys(paths ...string) (*HostKeys, error) {
	if len(paths) == 0 {
		return nil, configuration(errors.New("no known_hosts file is named"), "name one: host keys are always verified")
	}
	h := &HostKeys{files: paths, absent: true, lines: newKnownHosts(), known: make(map[string]*knownHost)}
	for _, path := range paths {
		content, err := readSmall(path, maxKnownHosts)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, configuration(fmt.Errorf("read known_hosts: %w", err), "check the path and who may read it")
		}
		if err := h.lines.add(path, content); err != nil {
			return nil, configuration(err, "correct the line, or remove it")
		}
		h.absent = false
	}
	return h, nil
}

// AcceptNew returns the same keys for hosts that are to be accepted when they are seen first: the key of a host of which
// no line speaks is recorded by r, and accepted once that is on disk. A key that changed, or is revoked, is refused as
// ever, and so is a host whose certificate is not good, or that has none where an authority speaks for it.
func (h *HostKeys) AcceptNew(r *Recorder) *HostKeys {
	return &HostKeys{files: h.files, absent: h.absent, lines: h.lines, recorder: r, known: make(map[string]*knownHost)}
}

// lookup returns what the files say of an address.
func (h *HostKeys) lookup(address string) *knownHost {
	h.mu.RLock()
	known, ok := h.known[address]
	h.mu.RUnlock()
	if ok {
		return known
	}
	name := xknownhosts.Normalize(address)
	known = new(knownHost)
	known.add(h.lines.find(name))
	if host, _, err := net.SplitHostPort(address); err == nil && host != name {
		known.addUnported(h.lines.find(host))
	}
	known.choose()
	h.mu.Lock()
	h.known[address] = known
	h.mu.Unlock()
	return known
}

// add adds the lines that hold for the address itself.
func (k *knownHost) add(lines []*knownLine) {
	for _, l := range lines {
		if l.authority {
			k.authorities = append(k.authorities, l)
		} else {
			k.keys = append(k.keys, l)
		}
	}
}

// addUnported adds the lines that hold for the host without the port: its authorities, and its keys if none is known for
// the port. That an authority is known, of all hosts perhaps, says nothing of the keys.
func (k *knownHost) addUnported(lines []*knownLine) {
	k.unported = len(k.keys) == 0
	for _, l := range lines {
		switch {
		case l.authority && !slices.Contains(k.authorities, l):
			k.authorities = append(k.authorities, l)
		case !l.authority && k.unported:
			k.keys = append(k.keys, l)
		}
	}
}

// choose sets the algorithms: those of certificates first, as ssh does, if there is an authority.
func (k *knownHost) choose() {
	if len(k.authorities) > 0 { // whatever its own type, an authority signs keys of any
		k.algorithms = []string{
			ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
			ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
		}
	}
	for _, l := range k.keys {
		algorithms := []string{l.key.Type()}
		if l.key.Type() == ssh.KeyAlgoRSA { // RFC 8332: the same keys, with better signatures
			algorithms = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
		}
		for _, algorithm := range algorithms {
			if !slices.Contains(k.algorithms, algorithm) {
				k.algorithms = append(k.algorithms, algorithm)
			}
		}
	}
}

// has tells whether the host may prove itself with a key.
func (k *knownHost) has(key ssh.PublicKey) bool {
	return slices.ContainsFunc(k.keys, func(l *knownLine) bool { return bytes.Equal(l.key.Marshal(), key.Marshal()) })
}

// algorithms returns in which algorithms the host at an address must prove itself. A host may have several keys of which
// we know one: it must show that one. An unknown host shows the key that people compare most.
func (h *HostKeys) algorithms(address string) []string {
	if len(h.pins) > 0 {
		return keyAlgorithms()
	}
	known := h.lookup(address)
	switch {
	case len(known.algorithms) == 0:
		return keyAlgorithms()
	case h.recorder != nil && known.isNew(): // it may have the keys of another port, and need not
		return known.orAny()
	}
	return known.algorithms
}

// keyAlgorithms returns those in which a host proves itself with a key of its own.
func keyAlgorithms() []string {
	return []string{
		ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
	}
}

// orAny returns the algorithms in which the host is known, and then all others.
func (k *knownHost) orAny() []string {
	all := slices.Clone(k.algorithms)
	for _, algorithm := range keyAlgorithms() {
		if !slices.Contains(all, algorithm) {
			all = append(all, algorithm)
		}
	}
	return all
}

// accept is check, but for hosts that are accepted when they are seen first: their keys are recorded. It blocks until
// that is done, or ctx ends.
func (h *HostKeys) accept(ctx context.Context, address string, remote net.Addr, key ssh.PublicKey) *failure.Error {
	refused := h.check(address, remote, key)
	if refused == nil || refused.Kind != failure.HostKeyUnknown || h.recorder == nil || !h.lookup(address).isNew() {
		return refused
	}
	return h.recorder.record(ctx, address, key)
}

// check returns nil if key is right for address, and otherwise a failure that says what is wrong.
func (h *HostKeys) check(address string, remote net.Addr, key ssh.PublicKey) *failure.Error {
	if len(h.pins) > 0 {
		return h.checkPins(key)
	}
	known := h.lookup(address)
	if certificate, ok := key.(*ssh.Certificate); ok {
		return h.checkCertificate(known, address, remote, certificate)
	}
	if err := h.checkRevoked(key); err != nil {
		return err
	}
	if known.has(key) {
		return nil
	}
	if len(known.keys) == 0 || known.unported {
		lacks := "known_hosts has no key for " + address
		if h.absent {
			lacks = fmt.Sprintf("no known_hosts file exists (%s), so there is no key for %s", strings.Join(h.files, ", "), address)
		}
		return &failure.Error{
			Kind:   failure.HostKeyUnknown,
			Err:    fmt.Errorf("%s, which shows the %s", lacks, describeKey(key)),
			Advice: adviceUnknown,
		}
	}
	return known.changed(key)
}

// What a person does about a host's key. The dialer adds the host's name.
const (
	adviceUnknown = "compare the fingerprint with the host's own (ssh-keygen -lf on the host), and record it: muster trust"
	adviceChanged = "find out why: a reinstalled machine, or somebody in between; if the new fingerprint is the host's own, " +
		"record it: muster trust --replace"
)

func (h *HostKeys) checkRevoked(keys ...ssh.PublicKey) *failure.Error {
	for _, key := range keys {
		if l, ok := h.lines.revoked[string(key.Marshal())]; ok {
			return &failure.Error{Kind: failure.HostKeyRevoked,
				Err: fmt.Errorf("%s:%d marks the %s as revoked", l.file, l.line, describeKey(key))}
		}
	}
	return nil
}

// changed is the failure of a host that shows another key than it should.
func (k *knownHost) changed(key ssh.PublicKey) *failure.Error {
	// The known key of the same type is the one to compare with.
	want := k.keys[0]
	for _, l := range k.keys {
		if l.key.Type() == key.Type() {
			want = l
			break
		}
	}
	return &failure.Error{
		Kind: failure.HostKeyChanged,
		Err: fmt.Errorf("the host shows the %s, but %s:%d has the %s",
			describeKey(key), want.file, want.line, describeKey(want.key)),
		Advice: adviceChanged,
	}
}

// checkCertificate checks a host certificate (OpenSSH's PROTOCOL.certkeys): who signed it, for whom, until when. If it is
// not good its key may be, as if the host had shown that alone: so does ssh.
func (h *HostKeys) checkCertificate(known *knownHost, address string, remote net.Addr, cert *ssh.Certificate) *failure.Error {
	if err := h.checkRevoked(cert.Key, cert.SignatureKey); err != nil {
		return err
	}
	checker := ssh.CertChecker{IsHostAuthority: func(key ssh.PublicKey, _ string) bool {
		return slices.ContainsFunc(known.authorities, func(l *knownLine) bool {
			return bytes.Equal(l.key.Marshal(), key.Marshal())
		})
	}}
	err := checker.CheckHostKey(address, remote, cert)
	if err == nil || known.has(cert.Key) {
		return nil
	}
	return &failure.Error{
		Kind: failure.HostKeyUnknown,
		Err: fmt.Errorf("the certificate of the host's %s, signed by the %s, is not valid for %s: %w",
			describeKey(cert.Key), describeKey(cert.SignatureKey), address, err),
		Advice: "renew the host's certificate for this name, or correct the @cert-authority line in known_hosts",
	}
}

// notShown is the failure of a host that can prove itself in none of the ways in which we know it, but only in others.
func (h *HostKeys) notShown(address string, offered []string) *failure.Error {
	known := h.lookup(address)
	switch {
	case len(known.keys) == 0:
		return &failure.Error{
			Kind: failure.HostKeyUnknown,
			Err: fmt.Errorf("known_hosts has an authority for %s (%s), but the host shows no certificate; it offers: %s",
				address, known.describe(), quoteAll(offered)),
			Advice: "set HostCertificate in the host's sshd_config, or record its own key: muster trust",
		}
	case known.unported:
		return &failure.Error{
			Kind: failure.HostKeyUnknown,
			Err: fmt.Errorf("known_hosts has no key for %s, and the host has none of those for another port (%s); it offers: %s",
				address, known.describe(), quoteAll(offered)),
			Advice: adviceUnknown,
		}
	}
	return &failure.Error{
		Kind: failure.HostKeyChanged,
		Err: fmt.Errorf("the host no longer has the key that known_hosts has for it (%s); it offers: %s",
			known.describe(), quoteAll(offered)),
		Advice: adviceChanged,
	}
}

// describe lists the known keys.
func (k *knownHost) describe() string {
	var described []string
	for _, l := range slices.Concat(k.keys, k.authorities) {
		described = append(described, fmt.Sprintf("%s:%d %s", l.file, l.line, describeKey(l.key)))
	}
	return strings.Join(described[:min(len(described), 4)], ", ")
}
