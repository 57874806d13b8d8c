package remote

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
)

var errRejected = errors.New("the host rejected the login")

// login is one attempt to log in: all keys, then the password, each offered once (RFC 4252).
type login struct {
	user     string
	signers  []ssh.Signer
	password string

	version   string   // what the host's server calls itself
	asked     bool     // the host has named the methods it allows
	allowed   []string // the methods it allows now
	keysUsed  bool
	passwords int      // how often the password was sent: 0 or 1
	tried     []string // for people
	partial   bool     // the host accepted something, and wants more
	strange   string   // a question that we do not answer
}

// next is the SSH library's question for the next method, after each answer of the host.
func (l *login) next(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	l.version = string(c.Metadata.ServerVersion())
	l.asked, l.allowed, l.partial = true, c.AllowedMethods, len(c.PartialSuccessMethods) > 0
	switch {
	case !l.keysUsed && len(l.signers) > 0 && slices.Contains(l.allowed, "publickey"):
		l.keysUsed = true
		for _, signer := range l.signers {
			l.tried = append(l.tried, describeKey(signer.PublicKey()))
		}
		return ssh.PublicKeys(l.signers...), nil
	case l.password == "" || l.passwords > 0:
	case slices.Contains(l.allowed, "password"):
		l.passwords++
		l.tried = append(l.tried, "the password")
		return ssh.Password(l.password), nil
	case l.strange == "" && slices.Contains(l.allowed, "keyboard-interactive"):
		return ssh.KeyboardInteractive(l.answer), nil
	}
	return nil, errRejected
}

// answer gives the password to a host that asks for exactly one secret, once. Hosts that leave passwords to PAM ask so
// (RFC 4256); anything else is a conversation for which we have no words. A request without questions is a message to
// the user.
func (l *login) answer(_, _ string, questions []string, echo []bool) ([]string, error) {
	if len(questions) == 0 {
		return nil, nil
	}
	if len(questions) > 1 || echo[0] || l.passwords > 0 {
		l.strange = questions[0]
		return nil, errRejected
	}
	l.passwords++
	l.tried = append(l.tried, "the password (keyboard-interactive)")
	return []string{l.password}, nil
}

// explain says why the login failed, given the library's error.
func (l *login) explain(err error) *failure.Error {
	found := &failure.Error{Kind: failure.LoginFailed, Advice: l.advice()}
	switch {
	case !l.asked || !errors.Is(err, errRejected):
		// The host ended the login on its own account, with a message of its own.
		found.Err = fmt.Errorf("the host ended the login of user %q: %w", l.user, err)
	case l.partial:
		found.Err = fmt.Errorf("the host accepted a part of the login of user %q after %s, but also wants: %s",
			l.user, l.offered(), quoteAll(l.allowed))
	default:
		found.Err = fmt.Errorf("the host rejected user %q with %s; it allows: %s",
			l.user, l.offered(), quoteAll(l.allowed))
	}
	return found
}

func (l *login) offered() string {
	if len(l.tried) == 0 {
		return "nothing that we could offer"
	}
	return strings.Join(l.tried, ", ")
}

func (l *login) advice() string {
	switch {
	case l.strange != "":
		return fmt.Sprintf("the host asks %.64q, which cannot be answered unattended: let it accept a key for this user", l.strange)
	case l.asked && len(l.tried) == 0 && l.password == "":
		return "the host allows no keys: configure a password, or set PubkeyAuthentication yes in its sshd_config"
	case l.asked && len(l.tried) == 0:
		return "the host allows no passwords: configure a key, or set PasswordAuthentication yes in its sshd_config"
	case l.passwords > 0 && l.keysUsed:
		return "check the user and the password, that the key is in the user's authorized_keys, and the host's sshd log"
	case l.passwords > 0:
		return "check the user and the password; the host's sshd log says which is wrong"
	default:
		return "check the user, and that the key is in the user's authorized_keys; the host's sshd log says more"
	}
}

// describeKey returns type and fingerprint of a public key.
func describeKey(key ssh.PublicKey) string {
	return strings.TrimPrefix(key.Type(), "ssh-") + " key " + ssh.FingerprintSHA256(key)
}
