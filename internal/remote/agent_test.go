package remote_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
	"muster/internal/testserver"
)

// socketFolder returns a folder whose path is short enough for a socket.
func socketFolder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// sshAgent starts OpenSSH's ssh-agent with some keys, and returns its socket.
func sshAgent(t testing.TB, keys ...string) string {
	t.Helper()
	program := testserver.Need(t, "ssh-agent", "openssh-client")
	add := testserver.Need(t, "ssh-add", "openssh-client")
	socket := filepath.Join(socketFolder(t), "socket")
	output, err := exec.CommandContext(t.Context(), program, "-a", socket).Output()
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`SSH_AGENT_PID=(\d+)`).FindSubmatch(output)
	if number == nil {
		t.Fatalf("ssh-agent says %s", output)
	}
	t.Cleanup(func() {
		end := exec.CommandContext(context.Background(), program, "-k")
		end.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket, "SSH_AGENT_PID="+string(number[1]))
		if output, err := end.CombinedOutput(); err != nil {
			t.Errorf("end ssh-agent: %v: %s", err, output)
		}
	})
	for _, key := range keys {
		command := exec.CommandContext(t.Context(), add, "-q", key)
		command.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("ssh-add: %v: %s", err, output)
		}
	}
	return socket
}

func TestSSHDByAgent(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{Config: []string{"PasswordAuthentication no"}})
	other, _ := keyFile(t, "", 0o600)
	o := sshdOptions(t, server)
	public := o.Signers[0].PublicKey()

	// Without a name all that the agent has is offered.
	o.Signers, o.Agent = nil, remote.NewAgent(sshAgent(t, other, server.KeyFile), nil)
	dial(t, o)

	// A key of which only the public half is here.
	o.Signers = []ssh.Signer{o.Agent.Key(public)}
	dial(t, o)
	if got := strings.Count(server.Log(), "Failed publickey"); got > 1 {
		t.Errorf("sshd saw %d wrong keys: a key that is named comes first", got)
	}

	// The agent does not have that one.
	missing := newKey(t)
	o.Signers, o.Agent = []ssh.Signer{o.Agent.Key(missing.PublicKey())}, remote.NewAgent(sshAgent(t, other), nil)
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, []string{ssh.FingerprintSHA256(missing.PublicKey())}, nil}.check(t, err)
}

func TestAgentThatLacksAKeyTheHostWants(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{Config: []string{"PasswordAuthentication no"}})
	other, _ := keyFile(t, "", 0o600)
	o := sshdOptions(t, server)
	a := remote.NewAgent(sshAgent(t, other), nil)
	o.Signers = []ssh.Signer{a.Key(o.Signers[0].PublicKey())}
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.Configuration, []string{"does not sign with"}, []string{"ssh-add -l"}}.check(t, err)
}

// TestAgentWithManyKeys has more keys than sshd wants to see, and the right one at the end.
func TestAgentWithManyKeys(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{Config: []string{"PasswordAuthentication no"}})
	var keys []string
	for range 7 {
		key, _ := keyFile(t, "", 0o600)
		keys = append(keys, key)
	}
	o := sshdOptions(t, server)
	public := o.Signers[0].PublicKey()
	o.Signers, o.Agent = nil, remote.NewAgent(sshAgent(t, append(keys, server.KeyFile)...), nil)
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, []string{"Too many authentication failures", "2 were not offered"},
		[]string{"MaxAuthTries", "first"}}.check(t, err)
	o.Signers = []ssh.Signer{o.Agent.Key(public)}
	dial(t, o)
}

// fakeAgent serves an agent's socket by a function.
func fakeAgent(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	socket := filepath.Join(socketFolder(t), "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return socket
}

// TestAgentIsAskedOnce has many connections that want the keys of an agent.
func TestAgentIsAskedOnce(t *testing.T) {
	noLeak(t)
	key := newKey(t)
	private, public := keyFile(t, "", 0o600)
	server := newServer(t, sshtest.Options{Keys: []ssh.PublicKey{public}})
	ring := agent.NewKeyring()
	var questions atomic.Int32
	socket := fakeAgent(t, func(conn net.Conn) {
		questions.Add(1)
		_ = agent.ServeAgent(ring, conn)
	})
	content, err := os.ReadFile(private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ssh.ParseRawPrivateKey(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(agent.AddedKey{PrivateKey: raw}); err != nil {
		t.Fatal(err)
	}
	o := options(t, server)
	o.Password, o.Signers, o.Agent = "", []ssh.Signer{key}, remote.NewAgent(socket, nil)
	const dials = 40
	var dialling sync.WaitGroup
	for range dials {
		dialling.Go(func() {
			conn, err := remote.Dial(within(t), o)
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		})
	}
	dialling.Wait()
	if got := questions.Load(); got != dials+1 {
		t.Errorf("the agent was asked %d times, want once for its keys and %d times to sign", got, dials)
	}
	o.Agent.Refresh()
	if err := ring.RemoveAll(); err != nil {
		t.Fatal(err)
	}
	_, err = remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, nil, nil}.check(t, err)
}

func TestAgentThatIsAway(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{Keys: []ssh.PublicKey{newKey(t).PublicKey()}})
	o := options(t, server)
	var noted []error
	o.Agent = remote.NewAgent(filepath.Join(t.TempDir(), "missing"), func(err error) { noted = append(noted, err) })
	dial(t, o) // the password does
	if len(noted) != 1 || !strings.Contains(noted[0].Error(), "missing") {
		t.Errorf("noted: %v, want a warning", noted)
	}
	o.Password = ""
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.Configuration, []string{"ssh-agent", "missing"}, []string{"agent="}}.check(t, err)
	if len(noted) != 1 {
		t.Errorf("noted: %v, want one warning for all hosts", noted)
	}
}

// TestAgentThatComesBack fails once, and is asked again after a pause, without anybody refreshing.
func TestAgentThatComesBack(t *testing.T) {
	noLeak(t)
	private, public := keyFile(t, "", 0o600)
	server := newServer(t, sshtest.Options{Keys: []ssh.PublicKey{public}})
	content, err := os.ReadFile(private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ssh.ParseRawPrivateKey(content)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: raw}); err != nil {
		t.Fatal(err)
	}
	var questions atomic.Int32
	socket := fakeAgent(t, func(conn net.Conn) {
		if questions.Add(1) > 1 {
			_ = agent.ServeAgent(ring, conn)
		}
	})
	var noted []error
	o := options(t, server)
	o.Password, o.Agent = "", remote.NewAgent(socket, func(err error) { noted = append(noted, err) })
	clock := time.Now()
	o.Agent.SetClock(func() time.Time { return clock })
	for range 3 { // within the pause
		_, err := remote.Dial(within(t), o)
		want{failure.Authentication, failure.Configuration, []string{"ssh-agent"}, nil}.check(t, err)
	}
	if got := questions.Load(); got != 1 {
		t.Errorf("the agent that failed was asked %d times at once, want once", got)
	}
	clock = clock.Add(time.Minute)
	dial(t, o)
	if len(noted) != 2 || noted[0] == nil || noted[1] != nil {
		t.Errorf("noted: %v, want that it failed, and that it is back", noted)
	}
}

// TestAgentThatHangs neither holds up a login for longer than its deadline, nor every login anew.
func TestAgentThatHangs(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{Keys: []ssh.PublicKey{newKey(t).PublicKey()}})
	asked := make(chan struct{}, 100)
	socket := fakeAgent(t, func(conn net.Conn) {
		asked <- struct{}{}
		_, _ = conn.Read(make([]byte, 1<<10))
		_, _ = conn.Read(make([]byte, 1<<10)) // until it is closed
	})
	a := remote.NewAgent(socket, nil)
	o := options(t, server)
	o.Agent, o.Password = a, ""
	ctx, cancel := context.WithCancel(within(t))
	ended := make(chan error, 1)
	go func() {
		_, err := remote.Dial(ctx, o)
		ended <- err
	}()
	<-asked
	cancel()
	want{failure.Authentication, failure.Cancelled, nil, nil}.check(t, <-ended)

	o.Password = password
	dial(t, o) // after the agent's own deadline
	dial(t, o) // at once
	if got := len(asked); got != 1 {
		t.Errorf("the agent was asked %d times more, want once", got)
	}
}

func TestAgentThatTalksNonsense(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{Keys: []ssh.PublicKey{newKey(t).PublicKey()}})
	for name, answer := range map[string][]byte{
		"nothing":  nil,
		"noise":    bytes.Repeat([]byte{0xff}, 1<<10),
		"no end":   append([]byte{0, 0xf0, 0, 0, 12}, bytes.Repeat([]byte{0}, 4<<20)...),
		"refusal":  {0, 0, 0, 1, 5},
		"odd keys": {0, 0, 0, 9, 12, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, server)
			o.Password = ""
			o.Agent = remote.NewAgent(fakeAgent(t, func(conn net.Conn) {
				_, _ = conn.Read(make([]byte, 1<<10))
				_, _ = conn.Write(answer)
			}), nil)
			_, err := remote.Dial(within(t), o)
			found := want{failure.Authentication, failure.Configuration, []string{"ssh-agent"}, nil}.check(t, err)
			if errors.Is(found, context.DeadlineExceeded) {
				t.Errorf("it was waited for: %v", err)
			}
		})
	}
}
