package remote_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// short is a deadline that a test waits for.
const short = 150 * time.Millisecond

// patiently makes an attempt that needs something to happen before a limit, short at first and then ever longer: a machine
// that stalls may let it pass. What is wrong with the last attempt is an error of the test.
func patiently(t *testing.T, attempt func(limit time.Duration) (wrong string)) {
	t.Helper()
	for limit := short; ; limit *= 5 {
		wrong := attempt(limit)
		if wrong == "" {
			return
		}
		if 5*limit > deadline {
			t.Fatal(wrong)
		}
	}
}

func TestDialRefusesOptionsThatCannotWork(t *testing.T) {
	good := remote.Options{Host: "web1", Address: "127.0.0.1", Port: 1, User: "u", Password: "p", HostKeys: knownHosts(t, "")}
	for name, change := range map[string]func(*remote.Options){
		"address":        func(o *remote.Options) { o.Address = "" },
		"port":           func(o *remote.Options) { o.Port = 65536 },
		"user":           func(o *remote.Options) { o.User = "" },
		"known_hosts":    func(o *remote.Options) { o.HostKeys = nil },
		"key nor a pass": func(o *remote.Options) { o.Password = "" },
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			change(&o)
			_, err := remote.Dial(within(t), o)
			found := want{stage: failure.Dial, kind: failure.Configuration, says: []string{name}}.check(t, err)
			if found.Host != "web1" {
				t.Errorf("the failure names the host %q", found.Host)
			}
		})
	}
}

func TestDialSaysWhyThereIsNoConnection(t *testing.T) {
	noLeak(t)
	o := remote.Options{Host: "web1", Address: "127.0.0.1", Port: 1, User: "u", Password: "p", HostKeys: knownHosts(t, "")}
	_, err := remote.Dial(within(t), o)
	want{failure.Dial, failure.Refused, []string{"web1: dial: "}, []string{"nothing listens on port", "127.0.0.1"}}.check(t, err)

	o.Address = "no..name" // never asked of a name server
	_, err = remote.Dial(within(t), o)
	want{failure.Dial, failure.NoSuchHost, nil, []string{`"no..name"`}}.check(t, err)
}

func TestDialTellsItsStages(t *testing.T) {
	noLeak(t)
	var stages []failure.Stage
	o := options(t, newServer(t, sshtest.Options{}))
	o.OnStage = func(s failure.Stage) { stages = append(stages, s) }
	conn := dial(t, o)
	if want := []failure.Stage{failure.Dial, failure.Handshake, failure.Authentication}; !slices.Equal(stages, want) {
		t.Errorf("got %v, want %v", stages, want)
	}
	sent, received := conn.Traffic()
	if sent < 500 || received < 500 || sent > 1e5 || received > 1e5 {
		t.Errorf("%d bytes sent and %d received are no handshake", sent, received)
	}
}

// TestDialWhenTheHostMisbehaves is a list of bad days before the login.
func TestDialWhenTheHostMisbehaves(t *testing.T) {
	for _, c := range []struct {
		name   string
		accept func(net.Conn) net.Conn
		want   want
	}{
		{"silent before the greeting", sshtest.Silent,
			want{failure.Handshake, failure.Timeout, []string{"150ms"}, []string{"stays silent"}}},
		{"silent in the key exchange", sshtest.StallAfter(400),
			want{failure.Handshake, failure.Timeout, []string{"150ms"}, nil}},
		{"hangs up at once", sshtest.Say(""), want{failure.Handshake, failure.Disconnected, nil, []string{"MaxStartups"}}},
		{"hangs up in the key exchange", sshtest.CutAfter(400),
			want{failure.Handshake, failure.Disconnected, []string{"lost"}, nil}},
		{"too many logins", sshtest.Say("Exceeded MaxStartups\r\n"),
			want{failure.Handshake, failure.Disconnected, []string{"Exceeded"}, []string{"raise MaxStartups"}}},
		{"a web server", sshtest.Say("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
			want{failure.Handshake, failure.NotSSH, []string{`"HTTP/1.1 400 Bad Request"`}, []string{"port"}}},
		{"control characters", sshtest.Say("\x1b[31m\x00\xff\r\n"),
			want{failure.Handshake, failure.NotSSH, []string{`\x1b[31m\x00\xff`}, nil}},
		{"an endless greeting", sshtest.Babble("welcome to a long talk\r\n"), want{failure.Handshake, failure.NotSSH, nil, nil}},
		{"an endless line", sshtest.Babble("aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), want{failure.Handshake, failure.NotSSH, nil, nil}},
		{"SSH 1", sshtest.Say("SSH-1.5-old\n"), want{failure.Handshake, failure.Disconnected, nil, nil}},
		{"nonsense for a key exchange", sshtest.Babble("SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x14"),
			want{failure.Handshake, failure.NotSSH, nil, nil}},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeak(t)
			server := newServer(t, sshtest.Options{Accept: c.accept})
			o := options(t, server)
			o.Deadlines.Handshake = deadline
			if c.want.kind == failure.Timeout {
				o.Deadlines.Handshake = short
			}
			started := time.Now()
			_, err := remote.Dial(within(t), o)
			c.want.check(t, err)
			if took := time.Since(started); took > deadline/2 {
				t.Errorf("it took %s", took)
			}
			closed(t, server)
		})
	}
}

func TestDialEndsAGreetingThatComesDropByDrop(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{Accept: drip})
	o := options(t, server)
	patiently(t, func(limit time.Duration) string {
		o.Deadlines.Handshake = limit
		_, err := remote.Dial(within(t), o)
		return want{failure.Handshake, failure.Timeout, nil, []string{"answers but not with SSH"}}.wrong(err)
	})
	closed(t, server)
}

func TestDialPassesOverLinesBeforeTheGreeting(t *testing.T) {
	noLeak(t)
	dial(t, options(t, newServer(t, sshtest.Options{Accept: func(conn net.Conn) net.Conn {
		_, _ = io.WriteString(conn, "Authorised use only\r\nSSH\nnot SSH-2.0\r\n")
		return conn
	}})))
}

// drip sends a byte now and then, which no timeout for a single read would notice.
func drip(conn net.Conn) net.Conn {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := conn.Write([]byte("x")); err != nil {
			return nil
		}
	}
	return nil
}

// closed waits until a server has no connection any more.
func closed(t *testing.T, server *sshtest.Server) {
	t.Helper()
	if open := server.AwaitNone(within(t)); open > 0 {
		t.Fatalf("%d connections are still open", open)
	}
}

// slowLogin is a server whose login takes for ever. begun is closed when one is under way.
func slowLogin(t *testing.T) (server *sshtest.Server, begun chan struct{}) {
	t.Helper()
	begun = make(chan struct{})
	end := make(chan struct{})
	server = newServer(t, sshtest.Options{Configure: func(c *ssh.ServerConfig) {
		c.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
			close(begun)
			<-end
			return nil, errors.New("too late")
		}
	}})
	t.Cleanup(func() { close(end) })
	return server, begun
}

func TestDialEndsALoginAtItsDeadline(t *testing.T) {
	noLeak(t)
	server, _ := slowLogin(t)
	o := options(t, server)
	o.Deadlines.Authentication = short
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.Timeout, []string{"150ms"}, []string{"UseDNS"}}.check(t, err)
}

func TestDialGivesEachStageItsOwnTime(t *testing.T) {
	noLeak(t)
	patiently(t, func(limit time.Duration) string {
		passed := make(chan struct{}) // closed when the handshake's deadline has passed
		server := newServer(t, sshtest.Options{Configure: func(c *ssh.ServerConfig) {
			right := c.PasswordCallback
			c.PasswordCallback = func(m ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
				<-passed
				return right(m, given)
			}
		}})
		o := options(t, server)
		o.Deadlines.Handshake = limit
		o.OnStage = func(stage failure.Stage) {
			if stage == failure.Handshake {
				time.AfterFunc(limit+short, func() { close(passed) })
			}
		}
		conn, err := remote.Dial(within(t), o)
		if err != nil {
			return err.Error()
		}
		_ = conn.Close()
		return ""
	})
}

func TestDialEndsALoginThatIsAnEndlessBanner(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{Configure: func(c *ssh.ServerConfig) {
		c.PreAuthConnCallback = func(pre ssh.ServerPreAuthConn) {
			for pre.SendAuthBanner(strings.Repeat("blah ", 1000)) == nil {
			}
		}
	}})
	_, err := remote.Dial(within(t), options(t, server))
	want{failure.Authentication, failure.Noise, []string{"64 kB"}, []string{"banner"}}.check(t, err)
	closed(t, server)
}

func TestDialEndsWhenTheHostHangsUpInTheLogin(t *testing.T) {
	noLeak(t)
	var server *sshtest.Server
	server = newServer(t, sshtest.Options{Configure: func(c *ssh.ServerConfig) {
		c.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
			server.Disconnect()
			return nil, errors.New("gone")
		}
	}})
	_, err := remote.Dial(within(t), options(t, server))
	want{failure.Authentication, failure.Disconnected, []string{"lost"}, []string{"sshd log"}}.check(t, err)
}

func TestDialEndsWithItsContext(t *testing.T) {
	reason := errors.New("the server is stopping")
	for _, c := range []struct {
		stage failure.Stage
		// start starts a server; what it returns is closed when the connection is in the stage, unless it is nil: then
		// the stage's beginning is enough.
		start func(*testing.T) (*sshtest.Server, chan struct{})
	}{
		{failure.Dial, func(t *testing.T) (*sshtest.Server, chan struct{}) { return newServer(t, sshtest.Options{}), nil }},
		{failure.Handshake, func(t *testing.T) (*sshtest.Server, chan struct{}) {
			return newServer(t, sshtest.Options{Accept: sshtest.Silent}), nil
		}},
		{failure.Authentication, slowLogin},
	} {
		t.Run(string(c.stage), func(t *testing.T) {
			noLeak(t)
			ctx, cancel := context.WithCancelCause(within(t))
			defer cancel(nil)
			server, begun := c.start(t)
			o := options(t, server)
			o.OnStage = func(stage failure.Stage) {
				if stage == c.stage && begun == nil {
					cancel(reason)
				}
			}
			if begun != nil {
				go func() { // ends when the server is asked for a login
					<-begun
					cancel(reason)
				}()
			}
			_, err := remote.Dial(ctx, o)
			want{c.stage, failure.Cancelled, []string{reason.Error()}, nil}.check(t, err)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v is not context.Canceled", err)
			}
		})
	}
}

func TestDialAtTheDeadlineOfItsContextIsATimeout(t *testing.T) {
	noLeak(t)
	o := options(t, newServer(t, sshtest.Options{Accept: sshtest.Silent}))
	patiently(t, func(limit time.Duration) string {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err := remote.Dial(ctx, o)
		return want{failure.Handshake, failure.Timeout, []string{"deadline"}, nil}.wrong(err)
	})
}

func TestDialLeavesNothingOpenBehind(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{})
	conn := dial(t, options(t, server))
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	closed(t, server)
	_, err := conn.Output(within(t), "true", nil)
	want{"", failure.Cancelled, []string{"closed"}, nil}.check(t, err)
	_, err = conn.Files(within(t))
	want{"", failure.Cancelled, []string{"closed"}, nil}.check(t, err)
}
