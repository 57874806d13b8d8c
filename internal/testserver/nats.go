package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
)

// NATS is a cluster of NATS servers with JetStream that syncs each write, which speak TLS only, in the test's process.
type NATS struct {
	CA       string // PEM file of the authority that signed the servers' certificates
	Password string // of every user

	t       testing.TB
	folder  string
	ports   []int // for clients
	routes  []int // for each other
	mu      sync.Mutex
	servers []*server.Server // nil: it does not run

	certificate, key string
	users            int
}

// natsAccounts is how many accounts a cluster has. What is in one does not see what is in another.
const natsAccounts = 32

// StartNATS starts a cluster of so many servers, or a single one, and waits until it can be used.
func StartNATS(t testing.TB, servers int) *NATS {
	t.Helper()
	folder := t.TempDir()
	n := &NATS{
		t: t, folder: folder, CA: filepath.Join(folder, "ca.pem"), Password: "correct horse battery staple",
		certificate: filepath.Join(folder, "server.pem"), key: filepath.Join(folder, "server.key"),
		servers: make([]*server.Server, servers), ports: reservePorts(t, servers), routes: reservePorts(t, servers),
	}
	if err := writeCertificates(n.CA, n.certificate, n.key); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := range n.servers {
			n.Stop(i)
		}
	})
	for i := range n.servers {
		n.Start(i)
	}
	n.wait(t)
	return n
}

// User returns the name of a user of an account that no other user has.
func (n *NATS) User() string {
	n.t.Helper()
	if n.users == natsAccounts {
		n.t.Fatal("the cluster has no more accounts")
	}
	n.users++
	return fmt.Sprint("user", n.users-1)
}

// URLs returns where the servers are, by scheme://127.0.0.1:port.
func (n *NATS) URLs(scheme string) []string {
	var urls []string
	for _, port := range n.ports {
		urls = append(urls, fmt.Sprintf("%s://127.0.0.1:%d", scheme, port))
	}
	return urls
}

// configuration is the file of one server.
func (n *NATS) configuration(i int) string {
	var c strings.Builder
	fmt.Fprintf(&c, "server_name: s%d\nlisten: 127.0.0.1:%d\n", i, n.ports[i])
	fmt.Fprintf(&c, "tls { cert_file: %q, key_file: %q }\n", n.certificate, n.key)
	fmt.Fprintf(&c, "jetstream { store_dir: %q, sync_interval: always, max_file_store: 1TB }\n", filepath.Join(n.folder, fmt.Sprint("s", i)))
	fmt.Fprint(&c, "accounts {\n")
	for a := range natsAccounts {
		fmt.Fprintf(&c, "  A%d { jetstream: enabled, users: [{ user: user%d, password: %q }] }\n", a, a, n.Password)
	}
	fmt.Fprint(&c, "}\n")
	if len(n.servers) > 1 {
		fmt.Fprintf(&c, "cluster { name: test, listen: 127.0.0.1:%d, routes: [", n.routes[i])
		for i, port := range n.routes {
			fmt.Fprintf(&c, "%s\"nats://127.0.0.1:%d\"", strings.Repeat(", ", min(1, i)), port)
		}
		fmt.Fprint(&c, "] }\n")
	}
	return c.String()
}

// Start starts a server that does not run.
func (n *NATS) Start(i int) {
	n.t.Helper()
	file := filepath.Join(n.folder, fmt.Sprintf("s%d.conf", i))
	if err := os.WriteFile(file, []byte(n.configuration(i)), 0o600); err != nil {
		n.t.Fatal(err)
	}
	s, err := startNATS(file)
	if err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[i] = s
}

func startNATS(file string) (*server.Server, error) {
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		return nil, err
	}
	o.NoSigs, o.NoLog = true, true
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(2 * time.Minute) {
		s.Shutdown()
		return nil, errors.New("the NATS server is not ready")
	}
	return s, nil
}

// Stop stops a server, if it runs.
func (n *NATS) Stop(i int) {
	n.mu.Lock()
	s := n.servers[i]
	n.servers[i] = nil
	n.mu.Unlock()
	if s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// Connect returns a connection of a user, which is closed when the test ends.
func (n *NATS) Connect(user string) jetstream.JetStream {
	n.t.Helper()
	conn, err := nats.Connect(strings.Join(n.URLs("tls"), ","), nats.UserInfo(user, n.Password), nats.RootCAs(n.CA))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		n.t.Fatal(err)
	}
	return js
}

// wait returns when the servers have agreed on who leads them, and take streams.
func (n *NATS) wait(t testing.TB) {
	t.Helper()
	js := n.Connect("user0")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		call, done := context.WithTimeout(ctx, 10*time.Second)
		_, err := js.CreateStream(call, jetstream.StreamConfig{Name: "READY", Subjects: []string{"ready"}, Replicas: len(n.servers)})
		done()
		if err == nil {
			err = js.DeleteStream(ctx, "READY")
		}
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the NATS servers are not ready: %v", err)
		}
	}
}

// StartNATSWithCredentials starts a server whose users prove by a credentials file who they are, and returns where it is
// and the file of one of them.
func StartNATSWithCredentials(t testing.TB) (url, ca, credentials string) {
	t.Helper()
	folder := t.TempDir()
	port := reservePorts(t, 1)[0]
	ca = filepath.Join(folder, "ca.pem")
	certificate, key := filepath.Join(folder, "server.pem"), filepath.Join(folder, "server.key")
	if err := writeCertificates(ca, certificate, key); err != nil {
		t.Fatal(err)
	}
	tokens, credentials, err := natsTokens(folder)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "server.conf")
	text := fmt.Sprintf("listen: 127.0.0.1:%d\ntls { cert_file: %q, key_file: %q }\n%sjetstream { store_dir: %q, sync_interval: always }\n",
		port, certificate, key, tokens, filepath.Join(folder, "data"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := startNATS(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return fmt.Sprintf("tls://127.0.0.1:%d", port), ca, credentials
}

// natsTokens makes an operator, a system account, an account that may use JetStream, and a user of it, and returns what
// their server's configuration says of them and the user's credentials file.
func natsTokens(folder string) (configuration, credentials string, err error) {
	var names [4]string
	var pairs [4]nkeys.KeyPair
	for i, create := range []func() (nkeys.KeyPair, error){
		nkeys.CreateOperator, nkeys.CreateAccount, nkeys.CreateAccount, nkeys.CreateUser,
	} {
		if pairs[i], err = create(); err == nil {
			names[i], err = pairs[i].PublicKey()
		}
		if err != nil {
			return "", "", err
		}
	}
	operator := jwt.NewOperatorClaims(names[0])
	operator.SystemAccount = names[1]
	account := jwt.NewAccountClaims(names[2])
	account.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	operatorToken, err1 := operator.Encode(pairs[0])
	systemToken, err2 := jwt.NewAccountClaims(names[1]).Encode(pairs[0])
	accountToken, err3 := account.Encode(pairs[0])
	userToken, err4 := jwt.NewUserClaims(names[3]).Encode(pairs[2])
	seed, err5 := pairs[3].Seed()
	file, err6 := jwt.FormatUserConfig(userToken, seed)
	credentials = filepath.Join(folder, "user.creds")
	configuration = fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: { %s: %s, %s: %s }\n",
		operatorToken, names[1], names[1], systemToken, names[2], accountToken)
	return configuration, credentials, errors.Join(err1, err2, err3, err4, err5, err6, os.WriteFile(credentials, file, 0o600))
}

// InSync reports whether all servers run and have everything that the others have.
func (n *NATS) InSync() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.servers {
		if s == nil || s.Healthz(nil).Error != "" {
			return false
		}
	}
	return true
}
