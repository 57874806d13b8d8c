package remote_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// story keeps the events of a connection.
type story struct {
	mu     sync.Mutex
	events []remote.Event
}

func (s *story) tell(e remote.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// names returns what happened, in order.
func (s *story) names() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, e := range s.events {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// text returns all that was told.
func (s *story) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, e := range s.events {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

func TestTraceOfAConnection(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{Configure: func(c *ssh.ServerConfig) {
		c.BannerCallback = func(ssh.ConnMetadata) string { return "be good" }
	}})
	o := options(t, server)
	var told story
	o.OnEvent = told.tell
	o.Signers = []ssh.Signer{newKey(t)}
	conn := dial(t, o)
	if got, want := told.names(), "try connected greeting host-key banner algorithms login-allowed login-offered logged-in"; got != want {
		// The server allows no keys: the password is offered at once.
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := conn.Output(within(t), "echo out; echo err >&2; exit 3", nil); err != nil {
		t.Fatal(err)
	}
	files, err := conn.Files(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Upload(within(t), "a", strings.NewReader("x"), 1, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := files.Rename(within(t), "a", "b"); err != nil {
		t.Fatal(err)
	}
	if err := files.Remove(within(t), "a"); err == nil {
		t.Error("it was removed twice")
	}
	text := told.text()
	for _, want := range []string{
		"connecting to " + server.Addr().String(), "SSH-2.0-sshtest", "ed25519 key SHA256:", "known_hosts:1", "key exchange ", "be good",
		"the host allows: password", "offering the password", "logged in with the password",
		"$ echo out; echo err >&2; exit 3\nout\nerr\n(exit status 3)", "SFTP: write a", `SFTP: rename a to "b"`, `SFTP: remove "a": `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the trace does not say %q", want)
		}
	}
	if strings.Contains(text, password) {
		t.Error("the password is in the trace")
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestTraceOfALoginThatFails(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{Keys: []ssh.PublicKey{newKey(t).PublicKey()}})
	o := options(t, server)
	var told story
	o.OnEvent = told.tell
	o.Signers, o.Password = []ssh.Signer{newKey(t)}, "wrong-one"
	_, err := remote.Dial(within(t), o)
	want{stage: failure.Authentication, kind: failure.LoginFailed}.check(t, err)
	got := strings.Fields(told.names())
	at := slices.Index(got, "login-allowed")
	order := "login-allowed login-offered login-refused login-allowed login-offered login-refused login-allowed"
	if at < 0 || strings.Join(got[at:], " ") != order {
		t.Errorf("got %q, want it to end in %q", got, order)
	}
	if text := told.text(); strings.Contains(text, "wrong-one") || !strings.Contains(text, "refused: the password") {
		t.Errorf("got\n%s", text)
	}
}

func TestTraceOfAKeyThatIsNotKnown(t *testing.T) {
	noLeak(t)
	o := options(t, newServer(t, sshtest.Options{}))
	o.HostKeys = knownHosts(t, "")
	var told story
	o.OnEvent = told.tell
	_, err := remote.Dial(within(t), o)
	want{stage: failure.Handshake, kind: failure.HostKeyUnknown}.check(t, err)
	if text := told.text(); !strings.Contains(text, "SSH-2.0-sshtest") || !strings.Contains(text, "which is not trusted") {
		t.Errorf("got\n%s", text)
	}
	closedPort := options(t, newServer(t, sshtest.Options{Accept: sshtest.Say("220 mail.example.org ESMTP\r\n")}))
	closedPort.OnEvent = told.tell
	_, err = remote.Dial(within(t), closedPort)
	want{stage: failure.Handshake, kind: failure.NotSSH}.check(t, err)
	if text := told.text(); !strings.Contains(text, "220 mail.example.org") {
		t.Errorf("got\n%s", text)
	}
}
