package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxCertificate bounds a certificate's file; OpenSSH's own bound for one in base64 is 128 kB.
const maxCertificate = 128 << 10

// LoadCertificate reads an OpenSSH user certificate (PROTOCOL.certkeys), as ssh-keygen -s writes them. Until when it is
// good is looked at when it is used. Errors are *failure.Error of the kind failure.Configuration; that there is no such
// file is fs.ErrNotExist.
func LoadCertificate(path string) (*ssh.Certificate, error) {
	content, err := readSmall(path, maxCertificate)
	if err != nil {
		return nil, configuration(fmt.Errorf("read the certificate: %w", err), "check the path and who may read it")
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		return nil, configuration(fmt.Errorf("%s is not a certificate: %w", path, err),
			"name the file that ssh-keygen -s wrote: the one with -cert.pub at its end")
	}
	certificate, ok := key.(*ssh.Certificate)
	switch {
	case !ok:
		return nil, configuration(fmt.Errorf("%s is a public key and no certificate", path),
			"name the file that ssh-keygen -s wrote: the one with -cert.pub at its end")
	case certificate.CertType != ssh.UserCert:
		return nil, configuration(fmt.Errorf("%s is the certificate of a host", path),
			"have one made for a user: ssh-keygen -s without -h")
	}
	return certificate, nil
}

// Certify returns what logs in by a certificate, given what signs with its key. The error says that the key is another.
func Certify(certificate *ssh.Certificate, signer ssh.Signer) (ssh.Signer, error) {
	if !sameKey(certificate.Key, signer.PublicKey()) {
		return nil, errors.New("the certificate is for another key")
	}
	return &certifiedKey{certificate, signer}, nil
}

// certifiedKey is a key with a certificate. Unlike the SSH library's own it can be taken apart again.
type certifiedKey struct {
	certificate *ssh.Certificate
	signer      ssh.Signer
}

func (c *certifiedKey) PublicKey() ssh.PublicKey { return c.certificate }

func (c *certifiedKey) Sign(random io.Reader, data []byte) (*ssh.Signature, error) {
	return c.signer.Sign(random, data)
}

func (c *certifiedKey) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	if signer, ok := c.signer.(ssh.AlgorithmSigner); ok {
		return signer.SignWithAlgorithm(random, data, algorithm)
	}
	return c.signer.Sign(random, data)
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// certificateProblem says why a certificate is not worth offering; empty where there is no reason, or no certificate.
func certificateProblem(key ssh.PublicKey, now time.Time) string {
	c, ok := key.(*ssh.Certificate)
	if !ok {
		return ""
	}
	at := uint64(max(0, now.Unix()))
	switch {
	case at < c.ValidAfter:
		return fmt.Sprintf("the %s is not valid before %s", describeKey(c), stamp(c.ValidAfter))
	case c.ValidBefore != ssh.CertTimeInfinity && at >= c.ValidBefore:
		return fmt.Sprintf("the %s has expired at %s", describeKey(c), stamp(c.ValidBefore))
	}
	return ""
}

// stamp writes a time of a certificate, in UTC.
func stamp(seconds uint64) string {
	const last = 253402300799 // of the year 9999
	return time.Unix(int64(min(seconds, last)), 0).UTC().Format(time.RFC3339)
}

// principalProblem says that a certificate names others than the user; empty if not. Hosts may allow that
// (AuthorizedPrincipalsFile), so that it is tried all the same.
func principalProblem(key ssh.PublicKey, user string) string {
	c, ok := key.(*ssh.Certificate)
	switch {
	case !ok, slices.Contains(c.ValidPrincipals, user):
		return ""
	case len(c.ValidPrincipals) == 0:
		return fmt.Sprintf("the %s names no user at all", describeKey(c))
	}
	return fmt.Sprintf("the %s is for %s, not for %q", describeKey(c), quoteAll(c.ValidPrincipals), user)
}
