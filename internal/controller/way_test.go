package controller

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/jump"
	"muster/internal/testserver"
)

// putBehind puts the first hosts of a controller behind a jump host.
func putBehind(t *testing.T, c *Controller, count int, via *config.Host) {
	t.Helper()
	c.pool = jump.New(jump.Options{})
	t.Cleanup(func() { _ = c.pool.Close() })
	next := *c.plan.Load().config
	next.Hosts = slices.Clone(next.Hosts)
	for i := range count {
		next.Hosts[i].Via = via
	}
	c.plan.Store(c.newPlan(&next))
}

// TestSlowJumpHostDelaysNobodyElse has a jump host behind which every visit takes an hour.
func TestSlowJumpHostDelaysNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f, h := newTestController(t, 40, 8)
		bastion := &config.Host{Name: "bastion", Address: "10.0.0.1", Sessions: 3, KnownHosts: c.plan.Load().config.Hosts[0].KnownHosts}
		putBehind(t, c, 20, bastion)
		f.took = make(map[string]time.Duration)
		for i := range 20 {
			f.took[fmt.Sprint("h", i)] = time.Hour
		}
		summary, err := c.Run(t.Context())
		if err != nil || summary.Visited != 40 {
			t.Fatalf("%+v, %v", summary, err)
		}
		if summary.Took < 7*time.Hour || summary.Took > 7*time.Hour+10*time.Second { // seven rounds of three
			t.Errorf("took %v", summary.Took)
		}
		for i, v := range h.visits[:20] { // the others ended first
			if number := strings.TrimPrefix(v.Host, "h"); len(number) < 2 || number < "20" {
				t.Errorf("%s ended as number %d", v.Host, i)
			}
		}
	})
}

func TestLanesEndWithTheSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := newTestController(t, 10, 8)
		putBehind(t, c, 10, &config.Host{Name: "bastion", Sessions: 1, KnownHosts: c.plan.Load().config.Hosts[0].KnownHosts})
		ctx, cancel := contextAfter(t, 2500*time.Millisecond)
		defer cancel()
		summary, err := c.Run(ctx)
		if err != nil || summary.Visited != 2 || !summary.Cancelled {
			t.Errorf("%+v, %v", summary, err)
		}
		if summary, err = c.Run(t.Context()); err != nil || summary.Visited != 10 {
			t.Errorf("afterwards: %+v, %v", summary, err)
		}
	})
}

// TestJumpHostThatCanNotBeUsed has mistakes that show in files alone, in the middle of a chain.
func TestJumpHostThatCanNotBeUsed(t *testing.T) {
	c, _, h := newTestController(t, 3, 3)
	known := c.plan.Load().config.Hosts[0].KnownHosts
	outer := &config.Host{Name: "outer", KnownHosts: known, Keys: []string{filepath.Join(t.TempDir(), "missing")}}
	putBehind(t, c, 2, &config.Host{Name: "inner", KnownHosts: known, Via: outer})
	summary, err := c.Run(t.Context())
	if err != nil || summary.Visited != 1 || len(summary.Failed) != 2 {
		t.Fatalf("%+v, %v", summary, err)
	}
	for _, v := range h.visits {
		if v.Failure == nil {
			continue
		}
		got := v.Failure
		if got.Kind != failure.JumpFailed || got.Jump != "outer" || got.Stage != failure.Dial ||
			!strings.HasPrefix(got.Err.Error(), "through inner: through outer: authentication: ") ||
			!strings.HasPrefix(got.Help(), "at the jump host outer: ") || !strings.HasPrefix(v.Address, "outer > inner > ") {
			t.Errorf("%s: %v; %s", v.Address, got, got.Help())
		}
	}
}

func TestHostThatTheSSHConfigLeadsElsewhere(t *testing.T) {
	c, _, h := newTestController(t, 2, 2)
	c.plan.Load().config.Hosts[0].Trouble = "config:3: ProxyCommand is not run"
	summary, err := c.Run(t.Context())
	if err != nil || summary.Visited != 1 || len(summary.Failed) != 1 {
		t.Fatalf("%+v, %v", summary, err)
	}
	for _, v := range h.visits {
		if v.Failure != nil && (v.Failure.Kind != failure.Configuration || !strings.Contains(v.Failure.Error(), "config:3")) {
			t.Errorf("got %v", v.Failure)
		}
	}
}

// TestGatewaysAreToldApartByTheConfiguration also keeps those whose configuration was read anew, and is the same.
func TestGatewaysAreToldApartByTheConfiguration(t *testing.T) {
	one := func() *config.Host {
		return &config.Host{Name: "bastion", Address: "a", Port: 22, User: "u", Password: config.NewSecret("p")}
	}
	again := gatewayKey(one(), "")
	if gatewayKey(one(), "") != again {
		t.Error("the same jump host is another")
	}
	keys := map[string]string{gatewayKey(one(), "outer"): "via", gatewayKey(one(), ""): "itself"}
	for name, change := range map[string]func(*config.Host){
		"address":  func(c *config.Host) { c.Address = "b" },
		"user":     func(c *config.Host) { c.User = "v" },
		"password": func(c *config.Host) { c.Password = config.NewSecret("q") },
		"keys":     func(c *config.Host) { c.Keys = []string{"k"} },
		"pin":      func(c *config.Host) { c.Fingerprints = []string{"SHA256:x"} },
		"timeouts": func(c *config.Host) { c.Timeouts.Dial = time.Second },
	} {
		c := one()
		change(c)
		key := gatewayKey(c, "")
		if other, taken := keys[key]; taken {
			t.Errorf("another %s is the same as %s", name, other)
		}
		keys[key] = name
	}
}

// TestAReloadLeavesAJumpHostAlone has an agent log in to a jump host, which is the same in the next configuration.
func TestAReloadLeavesAJumpHostAlone(t *testing.T) {
	server := testserver.SSHD(t, testserver.SSHDOptions{})
	content, err := os.ReadFile(server.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParseRawPrivateKey(content)
	if err != nil {
		t.Fatal(err)
	}
	const deadline = 30 * time.Second
	bastion := &config.Host{
		Name: "bastion", Address: server.Address, Port: server.Port, User: server.User, Agent: serveAgent(t, key), Sessions: 2,
		KnownHosts: []string{server.KnownHosts},
		Timeouts:   config.Timeouts{Dial: deadline, Handshake: deadline, Authentication: deadline},
	}
	c, _, _ := newTestController(t, 1, 1)
	putBehind(t, c, 1, bastion)
	older := c.plan.Load()
	open := func(ctx context.Context, p *plan) (net.Conn, error) {
		host, failed := p.hosts.pass().resolve(p.at(0))
		if failed != nil {
			t.Fatal(failed)
		}
		return host.Through.Open(ctx, net.JoinHostPort(server.Address, strconv.Itoa(server.Port)), deadline)
	}
	inside := func(p *plan) {
		t.Helper()
		conn, err := open(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	inside(older)
	next := *older.config
	next.Hosts = slices.Clone(next.Hosts)
	fewer := *bastion
	fewer.Sessions = 1
	next.Hosts[0].Via = &fewer
	newer := c.newPlan(&next)
	inside(newer)
	if got := strings.Count(server.Log(), "Accepted publickey"); got != 1 {
		t.Errorf("%d logins on the jump host, want that of before alone", got)
	}

	// A host that still waits by the older configuration has no more places than the newer one leaves.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if conn, err := open(ctx, older); err == nil {
		_ = conn.Close()
		t.Error("the older configuration let one more through")
	}
}

// serveAgent serves an agent that has a key until the end of the test, and returns its socket.
func serveAgent(t *testing.T, key any) string {
	t.Helper()
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "agent") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	listener, err := net.Listen("unix", filepath.Join(folder, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_ = agent.ServeAgent(ring, conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return listener.Addr().String()
}

// contextAfter is cancelled after a while.
func contextAfter(t *testing.T, after time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(after, cancel)
	return ctx, cancel
}
