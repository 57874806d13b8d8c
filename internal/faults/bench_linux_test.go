package faults_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/faults"
	"muster/internal/testserver"
)

// bench is a fleet with its server, and all that can be broken about them.
type bench struct {
	t        testing.TB
	o        options
	dir      string
	server   *server
	hosts    []*host
	liar     *liar
	database *testserver.Database
	db       *sql.DB
	smtp     *testserver.SMTPServer
	lines    map[string]*line // by what is behind them
	disk     *disk            // nil: none
	clock    *clock
	text     string // of the configuration, but for what reconfigure changes

	mu       sync.Mutex
	injected map[faults.Kind]int
	span     faults.Clock
	broken   []error // faults that could not be injected, or not be taken away
	result   string  // for the end of the long form
}

// newBench starts everything but the server.
func newBench(t testing.TB, o options) *bench {
	t.Helper()
	needRoot(t)
	b := &bench{t: t, o: o, lines: make(map[string]*line), injected: make(map[faults.Kind]int), clock: newClock()}
	t.Cleanup(func() { fmt.Print(b.result) }) // registered first, and so the last: below the logs of a failure
	// Hosts must reach the folder of theirs, which they can't in a test's own.
	var err error
	if b.dir, err = os.MkdirTemp("", "muster-faults-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server's log stays in %s", b.dir)
			return
		}
		_ = os.RemoveAll(b.dir)
	})
	if err := os.Chmod(b.dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.clock.Close)
	if b.clock.reason != "" {
		b.without(faults.Jump, b.clock.reason)
	}
	if b.disk, err = newDisk(t, filepath.Join(b.dir, "data")); err != nil {
		b.without(faults.Fill, err.Error())
	}
	b.database = testserver.MariaDB(t)
	b.smtp = testserver.SMTP(t, testserver.SMTPOptions{})
	b.lines["database"] = newLine(t, "database", b.database.Address())
	b.lines["mail server"] = newLine(t, "mail server", fmt.Sprintf("%s:%d", b.smtp.Host, b.smtp.Port))
	for i := range o.Hosts {
		h := newHost(t, b.dir, fmt.Sprintf("h%d", i+1))
		b.hosts = append(b.hosts, h)
		b.lines[h.name] = h.line
	}
	b.configure()
	program := o.Muster
	if program == "" {
		if program, err = exec.LookPath("muster"); err != nil {
			t.Fatal(err)
		}
	} else if program, err = filepath.Abs(program); err != nil {
		t.Fatal(err)
	}
	if b.server, err = newServer(program, b.dir, b.clock); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.server.log.Close() })
	if b.db, err = openDatabase(b.database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.db.Close() })
	b.span.Run.From = time.Now().Add(-time.Minute)
	return b
}

// needRoot skips the bench for an ordinary user, or fails it if CI=true.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	const reason = "the fault bench needs root: for hosts in namespaces of their own, and a small file system"
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// without says that a kind of fault is left out here. In CI nothing is left out.
func (b *bench) without(kind faults.Kind, reason string) {
	b.t.Helper()
	if os.Getenv("CI") == "true" {
		b.t.Fatalf("%s: %s", kind, reason)
	}
	b.say("left out: %s: %s", kind, reason)
}

// say prints a line: at once in the long form, with the test's log in the short one.
func (b *bench) say(format string, values ...any) {
	b.t.Helper()
	if b.o.Long {
		fmt.Printf("%s "+format+"\n", append([]any{time.Now().Format("15:04:05")}, values...)...)
		return
	}
	b.t.Logf(format, values...)
}

// configure writes the server's configuration: a sweep a second, deadlines of seconds, and a receiver for each host.
func (b *bench) configure() {
	b.t.Helper()
	var known, elements strings.Builder
	for i, h := range b.hosts {
		known.WriteString(h.known(b.t))
		transfer := `transfer="stdout"`
		if i%2 == 1 {
			transfer = `transfer="file"`
		}
		fmt.Fprintf(&elements, "    %s\n", h.element(transfer))
	}
	content, err := os.ReadFile(b.hosts[0].sshd.KeyFile)
	if err != nil {
		b.t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(content)
	if err != nil {
		b.t.Fatal(err)
	}
	b.liar = newLiar(b.t, b.dir, key.PublicKey())
	known.WriteString(b.liar.server.KnownHostsLine())
	fmt.Fprintf(&elements, `    <host name="%s" address="127.0.0.1" port="%d" user="%s" key="%s" mail="%[1]s@bench.test"/>`+"\n",
		liarName, b.liar.server.Addr().Port, b.liar.user, b.hosts[0].sshd.KeyFile)
	b.write("known_hosts", known.String())
	b.write("database.pass", b.database.Password)
	b.text = fmt.Sprintf(`<muster xmlns="urn:muster:config:1">
  <server data="data" interval="1s" parallel="%%d" backoff="3s" log-format="json" log-level="debug"/>
  <database url="mysql://muster@127.0.0.1:%d/muster?timeout=2s&amp;readTimeout=%%ds&amp;writeTimeout=5s" password="file:database.pass"/>
  <mail host="127.0.0.1" port="%d" ca="%s" from="Muster &lt;muster@bench.test&gt;" to="operators@bench.test" timeout="%%ds"/>
  <timeouts dial="2s" handshake="3s" authentication="3s" platform="3s" deploy="5s" run="4s" receive="4s" visit="8s"/>
  <group name="bench" known-hosts="known_hosts">
    <limit statistic="processes.count" above="%d"/>
%s  </group>
</muster>
`, b.lines["database"].port, b.lines["mail server"].port, b.smtp.CA, processLimit, elements.String())
	b.write("muster.xml", fmt.Sprintf(b.text, 256, 5, 3))
}

// reconfigure changes how many visits run at once, or, so that they are opened anew, how long the database and the mail
// server may take, and has the server that runs read that; false if none has run for long enough to listen.
func (b *bench) reconfigure(f faults.Fault) bool {
	parallel, database, mail := 256, 5, 3
	switch int(f.Dose * 4) {
	case 0:
		parallel = 2
	case 1:
		database = 6
	case 2:
		mail = 4
	}
	b.write("muster.new", fmt.Sprintf(b.text, parallel, database, mail))
	if err := os.Rename(filepath.Join(b.dir, "muster.new"), filepath.Join(b.dir, "muster.xml")); err != nil {
		b.t.Error(err)
	}
	return b.server.HangUp(time.Second)
}

func (b *bench) write(name, content string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(content), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// count notes faults that struck.
func (b *bench) count(kind faults.Kind, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.injected[kind] += n
}

// Injected returns how many faults of each kind struck so far.
func (b *bench) Injected() map[faults.Kind]int {
	told := b.liar.Told()
	b.mu.Lock()
	defer b.mu.Unlock()
	injected := maps.Clone(b.injected)
	for _, t := range told {
		if !t.Good {
			injected[faults.Lie]++
		}
	}
	return injected
}

func (b *bench) kills() int {
	n := 0
	for kind, count := range b.Injected() {
		if kind.IsKill() {
			n += count
		}
	}
	return n
}

// storm runs tracks side by side until enough was killed (0: until the time is over), or the time is over, and returns when
// all that they broke is whole again.
func (b *bench) storm(ctx context.Context, seed uint64, tracks []faults.Track, kills int, length time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var running sync.WaitGroup
	for _, track := range tracks {
		running.Go(func() {
			for f := range track.Faults(seed) {
				if !b.strike(ctx, f) {
					return
				}
			}
		})
	}
	said := time.Now()
	for pause(ctx, 50*time.Millisecond) {
		n := b.kills()
		if kills > 0 && n >= kills {
			break
		}
		if b.o.Long && time.Since(said) > 15*time.Second {
			said = time.Now()
			b.say("%d kills", n)
		}
	}
	cancel()
	running.Wait()
}

// strike waits for a fault's time and carries it out; false if ctx ended before.
func (b *bench) strike(ctx context.Context, f faults.Fault) bool {
	if f.Kind == faults.KillServer {
		return b.killServer(ctx, f)
	}
	if !pause(ctx, f.After) {
		return false
	}
	n, err := b.inject(ctx, f)
	b.count(f.Kind, n)
	if err != nil {
		b.mu.Lock()
		b.broken = append(b.broken, fmt.Errorf("%s %s: %w", f.Kind, f.Target, err))
		b.mu.Unlock()
	}
	return true
}

// killServer kills the server at a time of its life. One that ended by itself before is waited for again.
func (b *bench) killServer(ctx context.Context, f faults.Fault) bool {
	for {
		life, err := b.server.Await(ctx)
		if err != nil || !pause(ctx, time.Until(life.began.Add(f.After))) {
			return false
		}
		if b.server.Signal(life, sigkill) {
			b.count(f.Kind, 1)
			return true
		}
	}
}

// inject carries a fault out, and makes whole again what it broke. It returns how often it struck.
func (b *bench) inject(ctx context.Context, f faults.Fault) (int, error) {
	switch f.Kind {
	case faults.KillDatabase:
		kill(processes(b.database.Folder() + "/"))
		pause(ctx, f.Hold)
		return 1, b.database.Restart()
	case faults.KillMail:
		kill(processes(b.smtp.Folder() + "/"))
		pause(ctx, f.Hold)
		return 1, b.smtp.Restart()
	case faults.Cut, faults.Refuse, faults.Freeze, faults.Slow:
		return 1, b.lines[f.Target].afflict(ctx, f)
	case faults.Fill:
		return 1, b.disk.fill(ctx, f)
	case faults.Jump:
		b.jump(ctx, f)
		return 1, nil
	case faults.Reload:
		if !b.reconfigure(f) {
			return 0, nil
		}
		return 1, nil
	}
	for _, h := range b.hosts {
		if h.name == f.Target {
			return h.suffer(ctx, f)
		}
	}
	return 0, fmt.Errorf("there is no %q", f.Target)
}

// jump sets the server's clock, and sets it right again. The books know a time of a jump by its lying outside of the run, so
// a jump goes further than the run is long.
func (b *bench) jump(ctx context.Context, f faults.Fault) {
	jumps := []time.Duration{-30 * 24 * time.Hour, -26 * time.Hour, -3 * time.Hour, 3 * time.Hour, 26 * time.Hour, 30 * 24 * time.Hour}
	if near := 55 * time.Minute; b.o.Time+b.o.Endure+2*b.o.Patience < near {
		jumps = append(jumps, -near, near)
	}
	from := time.Now()
	b.clock.Set(jumps[int(f.Dose*float64(len(jumps)))])
	pause(ctx, f.Hold)
	b.clock.Set(0)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.span.Jumps = append(b.span.Jumps, faults.Span{From: from, To: time.Now()})
}
