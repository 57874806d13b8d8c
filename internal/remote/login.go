package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// The methods of a login, as SSH names them (RFC 4252, RFC 4256).
const (
	methodKey         = "publickey"
	methodPassword    = "password"
	methodInteractive = "keyboard-interactive"
)

// maxOffers is how many keys and passwords a host is offered, of those that nobody named: OpenSSH breaks a login off at
// the sixth that it refuses (sshd_config(5), MaxAuthTries).
const maxOffers = 6

var (
	errRejected = errors.New("the host rejected the login")
	errOver     = errors.New("the connection ended in the middle of the login")
)

// defaultMethods is the order in which a host is offered what we have, unless the options say otherwise.
func defaultMethods() []string { return []string{methodKey, methodPassword, methodInteractive} }

// login is one attempt to log in: the methods in their order, and each key and the password offered once (RFC 4252).
type login struct {
	user     string
	methods  []string
	keys     []ssh.Signer // those that were named, and then the agent's
	agent    *Agent
	password password
	wire     *wire
	now      func() time.Time

	version    string   // what the host's server calls itself
	asked      bool     // the host has named the methods it allows
	allowed    []string // the methods it allows now
	accepted   int      // of what was offered, how much was a part of a login that wants more
	failed     int      // how much was not
	offered    int      // of the keys
	agentAsked bool     // for its keys
	agentErr   error    // why it gave none, or did not sign
	unsigned   int      // keys that the host would have taken, and that nobody signed with
	left       int      // keys of the agent that are too many to be offered
	used       []string // of the methods that take the password
	tried      []string // for people
	problems   []string // what could not even be tried, for people
	question   string   // that was answered
	strange    string   // one that we do not answer
}

// newLogin prepares a login with what the options hold.
func newLogin(o *Options) *login {
	return &login{
		user: o.User, methods: o.Methods, keys: slices.Clone(o.Signers), agent: o.Agent,
		password: password{text: o.Password, gate: o.Passwords}, now: time.Now,
	}
}

// next is the SSH library's question for the next method, after each answer of the host, and after its end. ctx ends with
// the connection.
func (l *login) next(ctx context.Context, c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	if l.wire.ended() != nil {
		return nil, errOver // what was offered last was not answered
	}
	l.version = string(c.Metadata.ServerVersion())
	l.asked, l.allowed = true, c.AllowedMethods
	if len(c.PartialSuccessMethods) > l.accepted {
		l.accepted = len(c.PartialSuccessMethods)
		l.password.leave(PasswordAccepted)
	} else if len(c.TriedMethods) > l.failed {
		l.password.leave(PasswordRefused)
	}
	l.failed = len(c.TriedMethods)
	for _, method := range l.methods {
		if !slices.Contains(l.allowed, method) {
			continue
		}
		if auth := l.begin(ctx, method); auth != nil {
			return auth, nil
		}
	}
	return nil, errRejected
}

// begin returns what there is to offer in a method, or nil if there is nothing, or nothing any more.
func (l *login) begin(ctx context.Context, method string) ssh.AuthMethod {
	switch {
	case method == methodKey:
		if signer := l.nextKey(ctx); signer != nil {
			return ssh.PublicKeys(signer)
		}
	case slices.Contains(l.used, method):
	case method == methodPassword && l.password.enter(ctx, l.wire):
		l.used = append(l.used, method)
		l.tried = append(l.tried, "the password")
		l.password.sent()
		return ssh.Password(l.password.text)
	case method == methodInteractive && l.password.enter(ctx, l.wire):
		l.used = append(l.used, method)
		return ssh.KeyboardInteractive(l.answer)
	}
	return nil
}

// nextKey returns the next key to offer: those that were named, and then the agent's others, as long as the host may be
// expected to look at them.
func (l *login) nextKey(ctx context.Context) ssh.Signer {
	for {
		if l.offered == len(l.keys) && !l.askAgent(ctx) {
			return nil
		}
		signer := l.keys[l.offered]
		l.offered++
		if problem := certificateProblem(signer.PublicKey(), l.now()); problem != "" {
			l.problems = append(l.problems, problem)
			continue
		}
		l.tried = append(l.tried, describeKey(signer.PublicKey()))
		return bind(ctx, signer, func(err error) {
			l.agentErr = err
			l.unsigned++
		})
	}
}

// askAgent adds the agent's keys to those to offer, once; false if there are no more.
func (l *login) askAgent(ctx context.Context) bool {
	if l.agent == nil || l.agentAsked {
		return false
	}
	l.agentAsked = true
	keys, err := l.agent.keys(ctx)
	if err != nil {
		l.agentErr = err
		return false
	}
	room := maxOffers - len(l.tried)
	if l.password.text != "" {
		room-- // it is to have its turn
	}
	for _, key := range keys {
		switch {
		case slices.ContainsFunc(l.keys, func(s ssh.Signer) bool { return sameKey(s.PublicKey(), key) }):
		case room <= 0:
			l.left++
		default:
			room--
			l.keys = append(l.keys, l.agent.Key(key))
		}
	}
	return l.offered < len(l.keys)
}

// answer gives the password to a host that asks for exactly one secret, once. Hosts that leave passwords to PAM ask so
// (RFC 4256); anything else is a conversation for which we have no words. A request without questions is a message to
// the user.
func (l *login) answer(_, _ string, questions []string, echo []bool) ([]string, error) {
	if len(questions) == 0 {
		return nil, nil
	}
	question := questions[0]
	switch {
	case l.password.isOut && question == l.question: // it was wrong
		return nil, errRejected
	case len(questions) > 1, echo[0], l.password.isOut, isSecondFactor(question),
		l.password.taken && !strings.Contains(strings.ToLower(question), "password"):
		l.strange = question
		return nil, errRejected
	}
	l.question = question
	l.tried = append(l.tried, "the password (keyboard-interactive)")
	l.password.sent()
	return []string{l.password.text}, nil
}

// isSecondFactor recognises a question for something other than a password. The protocol has no code for what a question
// is about; a password in the wrong place counts as a wrong one.
func isSecondFactor(question string) bool {
	question = strings.ToLower(question)
	return slices.ContainsFunc([]string{"code", "token", "otp", "one-time", "challenge", "pin:"},
		func(word string) bool { return strings.Contains(question, word) })
}

// end takes note of how the login ended, given the library's error, nil if it let us in.
func (l *login) end(err error) {
	switch {
	case err == nil:
		l.password.leave(PasswordAccepted)
	case l.password.answered(l.wire):
		l.password.leave(PasswordRefused)
	default:
		l.password.leave(PasswordUnanswered)
	}
}

// describeKey returns type and fingerprint of a public key, or of the key that a certificate is for.
func describeKey(key ssh.PublicKey) string {
	if c, ok := key.(*ssh.Certificate); ok {
		return fmt.Sprintf("certificate %.64q of the %s", c.KeyId, describeKey(c.Key))
	}
	return strings.TrimPrefix(key.Type(), "ssh-") + " key " + ssh.FingerprintSHA256(key)
}
