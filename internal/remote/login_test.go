package remote_test

import (
	"errors"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// attempts counts what a server was offered.
type attempts struct {
	mu   sync.Mutex
	seen map[string]int
}

func (a *attempts) count(_ ssh.ConnMetadata, method string, _ error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = make(map[string]int)
	}
	a.seen[method]++
}

func (a *attempts) of(method string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[method]
}

func TestLoginByKey(t *testing.T) {
	noLeak(t)
	wrong, right := newKey(t), newKey(t)
	var seen attempts
	server := newServer(t, sshtest.Options{Keys: []ssh.PublicKey{right.PublicKey()}, Configure: func(c *ssh.ServerConfig) {
		c.AuthLogCallback = seen.count
	}})
	o := options(t, server)
	o.Signers = []ssh.Signer{wrong, right}
	dial(t, o)
	if seen.of("password") != 0 {
		t.Error("the password was sent although a key is right")
	}
}

func TestLoginFallsBackToThePasswordOnce(t *testing.T) {
	noLeak(t)
	var seen attempts
	server := newServer(t, sshtest.Options{
		Keys:      []ssh.PublicKey{newKey(t).PublicKey()},
		Configure: func(c *ssh.ServerConfig) { c.AuthLogCallback = seen.count },
	})
	o := options(t, server)
	o.Signers = []ssh.Signer{newKey(t)}
	dial(t, o)
	if got := seen.of("password"); got != 1 {
		t.Errorf("the password was sent %d times", got)
	}
}

// TestLoginSendsAWrongPasswordOnce has a server that would take it in two ways: two attempts could lock an account.
func TestLoginSendsAWrongPasswordOnce(t *testing.T) {
	noLeak(t)
	key := newKey(t)
	var seen attempts
	var answers attempts
	server := newServer(t, sshtest.Options{
		Keys: []ssh.PublicKey{newKey(t).PublicKey()},
		Configure: func(c *ssh.ServerConfig) {
			c.AuthLogCallback = seen.count
			c.KeyboardInteractiveCallback = func(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
				if _, err := ask("", "", []string{"Password: "}, []bool{false}); err == nil {
					answers.count(m, "answer", nil)
				}
				return nil, errors.New("wrong")
			}
		},
	})
	o := options(t, server)
	o.Signers, o.Password = []ssh.Signer{key}, "a wrong one"
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed,
		[]string{`user "monitor"`, ssh.FingerprintSHA256(key.PublicKey()), "the password", `it allows: "password"`},
		[]string{"authorized_keys", "password"}}.check(t, err)
	if got := seen.of("password") + answers.of("answer"); got != 1 {
		t.Errorf("the password was sent %d times", got)
	}
}

// interactive is a server that asks for everything in its own words, as one with PAM alone does.
func interactive(t *testing.T, questions []string, echo []bool) *sshtest.Server {
	t.Helper()
	return newServer(t, sshtest.Options{Configure: func(c *ssh.ServerConfig) {
		c.PasswordCallback = nil
		c.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			if _, err := ask("", "The password will expire soon.", nil, nil); err != nil {
				return nil, err
			}
			answers, err := ask("", "", questions, echo)
			if err != nil || len(answers) == 0 || answers[0] != password {
				return nil, errors.New("wrong")
			}
			return nil, nil
		}
	}})
}

func TestLoginByAQuestionForThePassword(t *testing.T) {
	noLeak(t)
	dial(t, options(t, interactive(t, []string{"Password: "}, []bool{false})))

	o := options(t, interactive(t, []string{"Password: "}, []bool{false}))
	o.Password = "a wrong one"
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, []string{"keyboard-interactive"}, []string{"password"}}.check(t, err)
}

func TestLoginAnswersNoOtherQuestion(t *testing.T) {
	noLeak(t)
	for name, server := range map[string]*sshtest.Server{
		"shown on the screen": interactive(t, []string{"What is \x1b[1m your name?"}, []bool{true}),
		"two questions":       interactive(t, []string{"What is \x1b[1m", "Code: "}, []bool{false, false}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := remote.Dial(within(t), options(t, server))
			want{failure.Authentication, failure.LoginFailed, nil, []string{`"What is \x1b[1m`, "key"}}.check(t, err)
		})
	}
}

func TestLoginWithNothingThatTheHostAllows(t *testing.T) {
	noLeak(t)
	o := options(t, newServer(t, sshtest.Options{}))
	o.Password, o.Signers = "", []ssh.Signer{newKey(t)}
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, []string{`allows: "password"`}, []string{"PubkeyAuthentication"}}.check(t, err)

	key := newKey(t)
	o = options(t, newServer(t, sshtest.Options{
		Keys:      []ssh.PublicKey{key.PublicKey()},
		Configure: func(c *ssh.ServerConfig) { c.PasswordCallback = nil },
	}))
	_, err = remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, []string{`allows: "publickey"`}, []string{"PasswordAuthentication"}}.check(t, err)
}

func TestLoginInTwoSteps(t *testing.T) {
	noLeak(t)
	key := newKey(t)
	server := newServer(t, sshtest.Options{Keys: []ssh.PublicKey{key.PublicKey()}, Configure: func(c *ssh.ServerConfig) {
		second, first := c.PasswordCallback, c.PublicKeyCallback
		c.PasswordCallback = nil
		c.PublicKeyCallback = func(m ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
			if _, err := first(m, k); err != nil {
				return nil, err
			}
			return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{PasswordCallback: second}}
		}
	}})
	o := options(t, server)
	o.Signers = []ssh.Signer{key}
	dial(t, o)

	o.Password = ""
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, []string{"a part of the login", `"password"`}, nil}.check(t, err)
}

func TestLoginThatTheHostBreaksOff(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{
		Keys:      []ssh.PublicKey{newKey(t).PublicKey()},
		Configure: func(c *ssh.ServerConfig) { c.MaxAuthTries = 2 },
	})
	o := options(t, server)
	o.Signers = []ssh.Signer{newKey(t), newKey(t), newKey(t), newKey(t)}
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, []string{"too many authentication failures"}, []string{"MaxAuthTries", "first"}}.check(t, err)
}
