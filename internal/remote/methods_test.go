package remote_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
	"muster/internal/testserver"
)

// gate is a PasswordGate that notes what it is told.
type gate struct {
	refuse error

	mu       sync.Mutex
	entered  int
	outcomes []remote.PasswordOutcome
}

func (g *gate) Enter(context.Context) (func(remote.PasswordOutcome), error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.entered++
	if g.refuse != nil {
		return nil, g.refuse
	}
	return func(o remote.PasswordOutcome) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.outcomes = append(g.outcomes, o)
	}, nil
}

func (g *gate) check(t *testing.T, want ...remote.PasswordOutcome) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Equal(g.outcomes, want) || g.entered != len(want) {
		t.Errorf("the gate was entered %d times and told %v, want %v", g.entered, g.outcomes, want)
	}
	g.entered, g.outcomes = 0, nil
}

func TestMethodsInTheirOrder(t *testing.T) {
	noLeak(t)
	for _, c := range []struct{ methods, want []string }{
		{nil, []string{"none", "publickey", "keyboard-interactive"}},
		{[]string{"keyboard-interactive", "publickey"}, []string{"none", "keyboard-interactive", "publickey"}},
		{[]string{"publickey"}, []string{"none", "publickey"}},
		{[]string{"password", "publickey"}, []string{"none", "publickey"}},
	} {
		var mu sync.Mutex
		var seen []string
		server := newServer(t, sshtest.Options{
			Keys: []ssh.PublicKey{newKey(t).PublicKey()},
			Configure: func(config *ssh.ServerConfig) {
				config.AuthLogCallback = func(_ ssh.ConnMetadata, method string, _ error) {
					mu.Lock()
					defer mu.Unlock()
					seen = append(seen, method)
				}
				config.PasswordCallback = nil
				config.KeyboardInteractiveCallback = func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
					return nil, errors.New("wrong")
				}
			},
		})
		o := options(t, server)
		o.Signers, o.Methods = []ssh.Signer{newKey(t)}, c.methods
		_, err := remote.Dial(within(t), o)
		want{failure.Authentication, failure.LoginFailed, nil, nil}.check(t, err)
		if err := server.Close(); err != nil { // what it saw is complete when it has ended
			t.Fatal(err)
		}
		if got := slices.Compact(seen); !slices.Equal(got, c.want) {
			t.Errorf("%v: the host saw %v, want %v", c.methods, got, c.want)
		}
	}
	o := options(t, newServer(t, sshtest.Options{}))
	o.Methods = []string{"hostbased"}
	_, err := remote.Dial(within(t), o)
	want{failure.Dial, failure.Configuration, []string{"hostbased", "publickey"}, nil}.check(t, err)
}

// TestSSHDInSteps has hosts that want more than one proof, in one order or another.
func TestSSHDInSteps(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{Config: []string{
		"AuthenticationMethods publickey,password", "LogLevel VERBOSE",
	}})
	server.NeedPassword(t)
	o := sshdOptions(t, server)
	var g gate
	o.Password, o.Passwords = server.Password, &g
	for _, methods := range [][]string{nil, {"password", "publickey"}, {"keyboard-interactive", "password", "publickey"}} {
		o.Methods = methods
		dial(t, o)
		g.check(t, remote.PasswordAccepted)
	}
	o.Methods, o.Password, o.Passwords = nil, "", nil
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, []string{"a part of the login", `"password"`}, nil}.check(t, err)

	o.Password, o.Passwords = "wrong", &g
	_, err = remote.Dial(within(t), o)
	want{failure.Authentication, failure.PasswordRefused, []string{"a part of the login"}, []string{"muster login retry"}}.check(t, err)
	g.check(t, remote.PasswordRefused)
}

func TestSSHDInStepsPasswordFirst(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{Config: []string{"AuthenticationMethods password,publickey"}})
	server.NeedPassword(t)
	o := sshdOptions(t, server)
	o.Password = server.Password
	dial(t, o)
}

// TestSSHDByPAM asks for the password as hosts do that leave passwords to PAM.
func TestSSHDByPAM(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{Config: []string{
		"UsePAM yes", "KbdInteractiveAuthentication yes", "PasswordAuthentication no", "AuthenticationMethods keyboard-interactive",
	}})
	server.NeedPassword(t)
	o := sshdOptions(t, server)
	var g gate
	o.Signers, o.Password, o.Passwords = nil, server.Password, &g
	dial(t, o)
	g.check(t, remote.PasswordAccepted)

	o.Password = "wrong"
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.PasswordRefused, []string{"keyboard-interactive"}, []string{"muster login retry"}}.check(t, err)
	g.check(t, remote.PasswordRefused)
	if got := strings.Count(server.Log(), "authentication failure") + strings.Count(server.Log(), "Authentication failure"); got > 1 {
		t.Errorf("PAM saw %d wrong passwords:\n%s", got, server.Log())
	}
}

func TestPasswordThatIsWithheld(t *testing.T) {
	noLeak(t)
	right := newKey(t)
	var seen attempts
	server := newServer(t, sshtest.Options{
		Keys:      []ssh.PublicKey{right.PublicKey()},
		Configure: func(c *ssh.ServerConfig) { c.AuthLogCallback = seen.count },
	})
	o := options(t, server)
	withheld := &failure.Error{Kind: failure.PasswordRefused, Err: errors.New("it was refused at noon"), Advice: "ask again"}
	g := &gate{refuse: withheld}
	o.Passwords = g
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.PasswordRefused, []string{"refused at noon"}, []string{"ask again"}}.check(t, err)
	wrong := newKey(t)
	o.Signers = []ssh.Signer{wrong}
	_, err = remote.Dial(within(t), o)
	want{failure.Authentication, failure.PasswordRefused,
		[]string{"refused at noon", ssh.FingerprintSHA256(wrong.PublicKey())}, []string{"ask again"}}.check(t, err)
	o.Signers = []ssh.Signer{right}
	dial(t, o) // the key does
	o.Methods = []string{"password", "keyboard-interactive", "publickey"}
	dial(t, o)
	if got := seen.of("password"); got != 0 {
		t.Errorf("the password was sent %d times", got)
	}
	if g.entered != 3 {
		t.Errorf("the gate was entered %d times, want once where the password's turn came", g.entered)
	}
}

// TestPasswordOutcomes: what the gate is told in each case.
func TestPasswordOutcomes(t *testing.T) {
	noLeak(t)
	hangUp := func(server **sshtest.Server) func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
		return func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
			(*server).Disconnect()
			return nil, errors.New("cut off")
		}
	}
	for _, c := range []struct {
		name      string
		configure func(*ssh.ServerConfig, **sshtest.Server)
		password  string
		kind      failure.Kind
		want      remote.PasswordOutcome
	}{
		{"right", func(*ssh.ServerConfig, **sshtest.Server) {}, password, "", remote.PasswordAccepted},
		{"wrong", func(*ssh.ServerConfig, **sshtest.Server) {}, "wrong", failure.PasswordRefused, remote.PasswordRefused},
		{"wrong, and the last straw", func(c *ssh.ServerConfig, _ **sshtest.Server) { c.MaxAuthTries = 1 }, "wrong",
			failure.PasswordRefused, remote.PasswordRefused},
		{"cut off", func(c *ssh.ServerConfig, s **sshtest.Server) { c.PasswordCallback = hangUp(s) }, password,
			failure.Disconnected, remote.PasswordUnanswered},
		{"asked for a code", func(c *ssh.ServerConfig, _ **sshtest.Server) {
			c.PasswordCallback = nil
			c.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
				_, err := ask("", "", []string{"Verification code: "}, []bool{false})
				return nil, errors.Join(err, errors.New("no"))
			}
		}, password, failure.LoginFailed, remote.PasswordUnsent},
		{"asked for a code after it", func(c *ssh.ServerConfig, _ **sshtest.Server) {
			c.PasswordCallback = nil
			c.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
				_, err := ask("", "", []string{"Password: "}, []bool{false})
				if err == nil {
					_, err = ask("", "", []string{"Second factor: "}, []bool{false})
				}
				return nil, errors.Join(err, errors.New("no"))
			}
		}, password, failure.PasswordRefused, remote.PasswordRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			var server *sshtest.Server
			server = newServer(t, sshtest.Options{Configure: func(config *ssh.ServerConfig) { c.configure(config, &server) }})
			var g gate
			o := options(t, server)
			o.Password, o.Passwords = c.password, &g
			if c.kind == "" {
				dial(t, o)
			} else {
				_, err := remote.Dial(within(t), o)
				want{failure.Authentication, c.kind, nil, nil}.check(t, err)
			}
			g.check(t, c.want)
		})
	}
}

// TestGateIsLeftAtTheDeadline has a gate that lets nobody in, and a host that dies behind it.
func TestGateIsLeftAtTheDeadline(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{})
	o := options(t, server)
	o.Passwords = waitingGate{}
	o.Deadlines.Authentication = 50e6
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.Timeout, nil, []string{"other hosts"}}.check(t, err)
	if errors.Is(err, net.ErrClosed) {
		t.Errorf("it says %v", err)
	}
}

// waitingGate lets nobody in.
type waitingGate struct{}

func (waitingGate) Enter(ctx context.Context) (func(remote.PasswordOutcome), error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
