package jump_test

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/jump"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// gate is a jump host in this process.
func gate(t testing.TB, o sshtest.Options) (*sshtest.Server, jump.Host) {
	t.Helper()
	o.Home, o.Password = t.TempDir(), cmp.Or(o.Password, "right horse")
	server, err := sshtest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server, jump.Host{Login: remote.Options{
		Host: "bastion", Address: "127.0.0.1", Port: server.Addr().Port, User: "jump", Password: o.Password,
		HostKeys:  knownLines(t, server.KnownHostsLine()),
		Deadlines: remote.Deadlines{Dial: deadline, Handshake: deadline, Authentication: deadline},
	}}
}

// TestConnectionsThatAreNeverAnswered has a jump host that takes the wish for each connection and says nothing, as one does
// for hosts behind a firewall that drops packets. Nobody else waits for that, and it does not add up.
func TestConnectionsThatAreNeverAnswered(t *testing.T) {
	noLeak(t)
	late := make(chan struct{})
	server, host := gate(t, sshtest.Options{Channel: func(c ssh.NewChannel) {
		if strings.Contains(string(c.ExtraData()), "dead") {
			<-late
			_ = c.Reject(ssh.ConnectionFailed, "Connection timed out")
			return
		}
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		_, _ = channel.Write([]byte("here"))
		_ = channel.Close()
	}})
	t.Cleanup(func() { close(late) }) // before the server is closed
	host.Sessions = 70
	pool := newPool(t, jump.Options{})
	g := pool.Gateway("bastion", host)
	open := func(address string, limit time.Duration) (net.Conn, error) {
		return g.Open(within(t), address, limit)
	}
	living, err := open("living:22", deadline)
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close()
	const rounds = 2
	const limit = 3 * time.Second // the jump host has half of it to say that it lives
	for range rounds {
		var all sync.WaitGroup
		for range host.Sessions - 1 {
			all.Go(func() {
				_, err := open("dead:22", limit)
				want{"", failure.Timeout, "", []string{"no answer from dead:22 through bastion within 3s"}, nil}.check(t, err)
			})
		}
		all.Wait()
	}
	if _, err := living.Read(make([]byte, 4)); err != nil {
		t.Errorf("who was inside was thrown out: %v", err)
	}
	other, err := open("other:22", deadline)
	if err != nil {
		t.Fatal(err)
	}
	_ = other.Close()
	if _, accepted := server.Connections(); accepted < 2 {
		t.Error("the connection is used on and on, with what is left in it")
	}
}

// TestEverybodyIsLetIn has many more visits than places.
func TestEverybodyIsLetIn(t *testing.T) {
	noLeak(t)
	came := make(chan string, 100)
	_, host := gate(t, sshtest.Options{Channel: func(c ssh.NewChannel) {
		came <- string(c.ExtraData())
		_ = c.Reject(ssh.ConnectionFailed, "Connection refused")
	}})
	host.Sessions = 1
	g := newPool(t, jump.Options{}).Gateway("bastion", host)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			_, err := g.Open(within(t), "host"+string(rune('a'+i))+":22", deadline)
			want{"", failure.Refused, "", nil, nil}.check(t, err)
		})
	}
	all.Wait()
	close(came)
	seen := map[string]bool{}
	for name := range came {
		seen[name] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d of 20 came through", len(seen))
	}
}

// TestAJumpHostThatSaysItsPassword has one that tells everybody what it knows.
func TestAJumpHostThatSaysItsPassword(t *testing.T) {
	noLeak(t)
	_, host := gate(t, sshtest.Options{Channel: func(c ssh.NewChannel) { _ = c.Reject(ssh.Prohibited, "not with right horse") }})
	_, err := newPool(t, jump.Options{}).Gateway("bastion", host).Open(within(t), "web1:22", deadline)
	want{"", failure.JumpRefused, "bastion", []string{"not with (password)"}, nil}.check(t, err)
	if strings.Contains(err.Error(), "right horse") {
		t.Error(err)
	}
}

// TestAJumpHostThatSaysItsPasswordAtTheEnd looks wherever the end of a connection is told. The SSH library's server says no
// last word, so that the password is of the words with which a connection's end is told in any case.
func TestAJumpHostThatSaysItsPasswordAtTheEnd(t *testing.T) {
	noLeak(t)
	const password = "the connection"
	server, host := gate(t, sshtest.Options{Password: password, Channel: func(c ssh.NewChannel) {
		if channel, requests, err := c.Accept(); err == nil {
			go ssh.DiscardRequests(requests)
			_, _ = channel.Write([]byte("here"))
		}
	}})
	var logged strings.Builder // read after its writers have ended
	pool := jump.New(jump.Options{Retry: time.Hour, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	g := pool.Gateway("bastion", host)
	conn, err := g.Open(within(t), "web1:22", deadline)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	server.Disconnect()
	check := func(what string, err error) {
		t.Helper()
		want{"", failure.JumpFailed, "bastion", []string{"through bastion: ", "(password) "}, nil}.check(t, err)
		if strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = conn.Read(make([]byte, 4))
	check("Read", err)
	_, err = conn.Write([]byte("x"))
	check("Write", err)
	_ = conn.Close()
	_, err = g.Open(within(t), "web1:22", deadline)
	check("Open", err)
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
	if log := logged.String(); !strings.Contains(log, "(password) ") || strings.Contains(log, "err=\""+password) || strings.Contains(log, ": "+password) {
		t.Errorf("the log is %s", log)
	}
}

// TestAJumpHostThatFlaps lets everybody in and breaks off at once: that is no reason to log in again and again.
func TestAJumpHostThatFlaps(t *testing.T) {
	noLeak(t)
	var server *sshtest.Server
	ready := make(chan struct{})
	server, host := gate(t, sshtest.Options{Channel: func(ssh.NewChannel) {
		<-ready
		server.Disconnect()
	}})
	close(ready)
	g := newPool(t, jump.Options{Retry: time.Hour}).Gateway("bastion", host)
	for range 50 {
		_, err := g.Open(within(t), "web1:22", deadline)
		want{"", failure.JumpFailed, "bastion", []string{"through bastion: "}, nil}.check(t, err)
	}
	if _, accepted := server.Connections(); accepted != 1 {
		t.Errorf("%d logins", accepted)
	}
}

// TestAVisitThatGivesUpDoesNotEndTheLoginOfTheOthers has the first visit, for which the login began, go away.
func TestAVisitThatGivesUpDoesNotEndTheLoginOfTheOthers(t *testing.T) {
	noLeak(t)
	asked, answer := make(chan struct{}, 2), make(chan struct{})
	_, host := gate(t, sshtest.Options{
		Accept: func(c net.Conn) net.Conn {
			asked <- struct{}{}
			<-answer
			return c
		},
		Channel: func(c ssh.NewChannel) { _ = c.Reject(ssh.ConnectionFailed, "Connection refused") },
	})
	g := newPool(t, jump.Options{}).Gateway("bastion", host)
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := g.Open(ctx, "web1:22", deadline)
		first <- err
	}()
	<-asked
	go func() {
		_, err := g.Open(within(t), "web2:22", deadline)
		second <- err
	}()
	cancel()
	want{"", failure.Cancelled, "", nil, nil}.check(t, <-first)
	close(answer)
	want{"", failure.Refused, "", nil, nil}.check(t, <-second)
	if len(asked) != 0 {
		t.Error("there was a second login")
	}
}

// BenchmarkOpen is the way through a jump host in this process, without the login behind it.
func BenchmarkOpen(b *testing.B) {
	_, host := gate(b, sshtest.Options{Channel: func(c ssh.NewChannel) {
		if channel, requests, err := c.Accept(); err == nil {
			go ssh.DiscardRequests(requests)
			_ = channel.Close()
		}
	}})
	g := newPool(b, jump.Options{}).Gateway("bastion", host)
	for b.Loop() {
		conn, err := g.Open(b.Context(), "web1:22", deadline)
		if err != nil {
			b.Fatal(err)
		}
		_ = conn.Close()
	}
}
