package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"muster/internal/testserver"
)

// patience bounds whatever a test waits for.
const patience = 2 * time.Minute

// place is a folder with a configuration, in which muster is run as a person runs it.
type place struct {
	t   *testing.T
	dir string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	return &place{t, t.TempDir()}
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(name, content string) string {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return p.path(name)
}

func (p *place) command(ctx context.Context, args ...string) *exec.Cmd {
	// TestMain has put this test program into PATH as muster.
	command := exec.CommandContext(ctx, "muster", args...)
	command.Dir = p.dir
	command.Env = []string{"HOME=" + p.dir, "PATH=" + os.Getenv("PATH")}
	return command
}

// result is what a command left behind.
type result struct {
	stdout, stderr string
	status         int
}

func (p *place) muster(args ...string) result {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	command := p.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
}

// want runs muster and fails the test if it does not end with the status.
func (p *place) want(status int, args ...string) result {
	p.t.Helper()
	r := p.muster(args...)
	if r.status != status {
		p.t.Fatalf("muster %s: status %d, want %d\n%s\n%s", strings.Join(args, " "), r.status, status, r.stdout, r.stderr)
	}
	return r
}

// sweepResult is what muster run --json prints.
type sweepResult struct {
	Hosts, Reported, Alerts, Raised, Ended int
	Failed                                 []struct{ Host, Stage, Kind, Error, Advice string }
}

// hostResult is a host of muster status --json.
type hostResult struct {
	Host, Group string
	Failure     *struct{ Stage, Kind, Error, Advice string }
	Latest      map[string]float64
	Alerts      []struct{ Statistic, Instance, Limit string }
}

// statusResult is what muster status --json prints.
type statusResult struct{ Hosts []hostResult }

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return v
}

// fleet is what the end-to-end tests visit: good hosts and bad ones, a mail server, a configuration over them.
type fleet struct {
	*place
	sshd     *testserver.Sshd
	smtp     *testserver.SMTPServer
	database string // the <database> element
	secrets  []string
}

func newFleet(t *testing.T, database string) *fleet {
	t.Helper()
	f := &fleet{
		place: newPlace(t),
		sshd:  testserver.SSHD(t, testserver.SSHDOptions{}),
		smtp:  testserver.SMTP(t, testserver.SMTPOptions{Username: "muster", Password: "m4il-s3cret"}),

		database: database,
	}
	f.sshd.NeedPassword(t)
	f.write("mail.pass", f.smtp.Password+"\n")
	f.write("host.pass", f.sshd.Password)
	f.write("wrong.pass", "wr0ng-s3cret")
	other := testserver.SSHD(t, testserver.SSHDOptions{})
	keys, err := os.ReadFile(other.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	// The other server's key under this server's address: a host whose key has changed.
	_, key, _ := strings.Cut(strings.TrimSpace(string(keys)), " ")
	f.write("changed", fmt.Sprintf("[%s]:%d %s\n", f.sshd.Address, f.sshd.Port, key))
	f.write("nobody", "")
	f.secrets = []string{f.smtp.Password, f.sshd.Password, "wr0ng-s3cret"}
	return f
}

// configure writes muster.xml: four hosts that can be visited with the given limit on memory, and, if wanted, four that
// can't.
func (f *fleet) configure(limit string, bad bool) {
	f.t.Helper()
	at := fmt.Sprintf(`address="%s" port="%d"`, f.sshd.Address, f.sshd.Port)
	var hosts strings.Builder
	fmt.Fprintf(&hosts, `
    <host name="by-key" %[1]s key="%[2]s"/>
    <host name="by-password" %[1]s password="file:host.pass"/>
    <host name="by-file" %[1]s key="%[2]s" transfer="file"/>
    <host name="elsewhere" %[1]s key="%[2]s" directory="%[3]s/clients"/>`, at, f.sshd.KeyFile, f.sshd.Home)
	if bad {
		fmt.Fprintf(&hosts, `
    <host name="dead" address="127.0.0.1" port="1" key="%[2]s"/>
    <host name="wrong-password" %[1]s password="file:wrong.pass"/>
    <host name="changed-key" %[1]s key="%[2]s" known-hosts="changed"/>
    <host name="unknown-key" %[1]s key="%[2]s" known-hosts="nobody"/>`, at, f.sshd.KeyFile)
	}
	f.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1">
  <server data="data" log-level="debug" log-file="muster.log"/>
  %s
  <mail host="localhost" port="%d" username="muster" password="file:mail.pass" ca="%s"
        from="Muster &lt;muster@example.org&gt;" to="ops@example.org"/>
  <group name="test" user="%s" known-hosts="%s">
    <limit statistic="memory.usage" above="%s"/>%s
  </group>
</muster>
`, f.database, f.smtp.Port, f.smtp.CA, f.sshd.User, f.sshd.KnownHosts, limit, hosts.String()))
}

// keepsSecrets fails the test if a secret stands in what was printed, or in the log.
func (f *fleet) keepsSecrets(results ...result) {
	f.t.Helper()
	log, err := os.ReadFile(f.path("muster.log"))
	if err != nil {
		f.t.Fatal(err)
	}
	text := string(log)
	for _, r := range results {
		text += r.stdout + r.stderr
	}
	for _, secret := range f.secrets {
		if strings.Contains(text, secret) {
			f.t.Errorf("the secret %q was printed or logged", secret)
		}
	}
}

// onEngines runs a test on each database; the configuration's element is handed to it.
func onEngines(t *testing.T, test func(t *testing.T, database string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "") })
	t.Run("mariadb", func(t *testing.T) { test(t, databaseElement(t, testserver.MariaDB(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, databaseElement(t, testserver.PostgreSQL(t))) })
}

func databaseElement(t *testing.T, d *testserver.Database) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "database.pass")
	if err := os.WriteFile(file, []byte(d.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`<database url="%s" password="file:%s"/>`, d.URL, file)
}

func TestFleet(t *testing.T) {
	onEngines(t, func(t *testing.T, database string) {
		f := newFleet(t, database)
		f.configure("0%", true)

		first := f.want(1, "run", "--json")
		sweep := decode[sweepResult](t, first.stdout)
		if sweep.Hosts != 8 || sweep.Reported != 4 || sweep.Raised != 8 || sweep.Alerts != 8 {
			t.Errorf("the first sweep: %+v", sweep)
		}
		kinds := make(map[string]string)
		for _, failed := range sweep.Failed {
			kinds[failed.Host] = failed.Stage + " " + failed.Kind
			if failed.Error == "" || failed.Advice == "" {
				t.Errorf("%s failed without an error or without advice: %+v", failed.Host, failed)
			}
		}
		for host, want := range map[string]string{
			"dead":           "dial refused",
			"wrong-password": "authentication password-refused",
			"changed-key":    "handshake host-key-changed",
			"unknown-key":    "handshake host-key-unknown",
		} {
			if kinds[host] != want {
				t.Errorf("%s: %q, want %q", host, kinds[host], want)
			}
		}
		mails := f.smtp.Messages(t, 1)
		if len(mails) != 1 || mails[0].To != "ops@example.org" {
			t.Fatalf("%d mails for eight alerts, want one", len(mails))
		}
		for _, host := range []string{"by-key", "by-password", "by-file", "elsewhere", "dead", "changed-key"} {
			if !bytes.Contains(mails[0].Raw, []byte(host)) {
				t.Errorf("the mail does not name %s", host)
			}
		}

		status := f.want(1, "status", "--json")
		for _, host := range decode[statusResult](t, status.stdout).Hosts {
			if (host.Failure != nil) != (kinds[host.Host] != "") || len(host.Alerts) != 1 {
				t.Errorf("status of %s: %+v", host.Host, host)
			}
			if host.Failure == nil && (host.Latest["memory.usage"] <= 0 || host.Latest["uptime"] <= 0 || len(host.Latest) < 10) {
				t.Errorf("%s has no latest values: %v", host.Host, host.Latest)
			}
		}
		table := f.want(1, "status")
		for _, want := range []string{"by-key", "memory.usage", "host-key-changed", "HOST"} {
			if !strings.Contains(table.stdout, want) {
				t.Errorf("status does not show %q:\n%s", want, table.stdout)
			}
		}

		// Nothing new: nobody is mailed.
		f.want(1, "run")
		// All is well again: one mail.
		f.configure("100%", false)
		last := f.want(0, "run")
		if !strings.Contains(last.stdout, "4 hosts visited") || !strings.Contains(last.stdout, "4 reported, 0 failed") {
			t.Errorf("the last sweep:\n%s", last.stdout)
		}
		if mails := f.smtp.Messages(t, 2); len(mails) != 2 {
			t.Errorf("%d mails, want two: what was exceeded, and that it is over", len(mails))
		}
		f.want(0, "status")
		f.keepsSecrets(first, status, table, last)
	})
}

func TestDatabaseThatCantBeUsed(t *testing.T) {
	f := newFleet(t, `<database url="mysql://muster@127.0.0.1:1/muster" password="file:host.pass"/>`)
	f.configure("0%", false)
	for _, command := range []string{"run", "status"} {
		r := f.want(3, command)
		if !strings.Contains(r.stderr, "muster: database could not be used") || !strings.Contains(r.stderr, "127.0.0.1:1") {
			t.Errorf("%s does not say which database:\n%s", command, r.stderr)
		}
		f.keepsSecrets(r)
	}
	if mails := f.smtp.Messages(t, 1); len(mails) != 1 {
		t.Errorf("%d mails, want one: limits need no database", len(mails))
	}

	database := testserver.MariaDB(t)
	f.write("database.pass", "wr0ng-s3cret")
	f.database = fmt.Sprintf(`<database url="%s" password="file:database.pass"/>`, database.URL)
	f.configure("0%", false)
	f.keepsSecrets(f.want(3, "run"))

	// What the first two sweeps brought is stored by the third, which has a database, and nobody is mailed again.
	f.database = databaseElement(t, database)
	f.configure("0%", false)
	f.want(0, "run")
	visits := countRows(t, database, "visits WHERE outcome = 'ok'")
	sweeps := countRows(t, database, "sweeps WHERE ended IS NOT NULL")
	if visits != 12 || sweeps != 3 {
		t.Errorf("%d visits of %d sweeps are stored, want those of all three sweeps of four hosts", visits, sweeps)
	}
	if mails := f.smtp.Messages(t, 1); len(mails) != 1 {
		t.Errorf("%d mails, want the one of the first sweep", len(mails))
	}
}

// countRows counts rows of a table in a MariaDB's database muster.
func countRows(t *testing.T, d *testserver.Database, table string) int {
	t.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = "muster", d.Password, "tcp", d.Address(), "muster"
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMailServerThatCantBeUsed(t *testing.T) {
	f := newFleet(t, "")
	f.configure("0%", false)
	f.smtp.Stop()
	r := f.want(3, "run")
	if !strings.Contains(r.stderr, "mail server could not be used: mail to ops@example.org is not sent yet") {
		t.Errorf("run does not say whose mail was not sent:\n%s", r.stderr)
	}
	if !strings.Contains(r.stdout, "4 reported") {
		t.Errorf("the visits are not shown:\n%s", r.stdout)
	}
	for _, host := range decode[statusResult](t, f.want(0, "status", "--json").stdout).Hosts {
		if len(host.Alerts) != 1 {
			t.Errorf("the alert of %s is not stored", host.Host)
		}
	}
	f.smtp.Start()
	f.want(0, "run")
	if mails := f.smtp.Messages(t, 1); len(mails) != 1 {
		t.Errorf("%d mails, want the one that could not be sent before", len(mails))
	}
	f.write("mail.pass", "wr0ng-s3cret")
	f.configure("100%", false)
	r = f.want(3, "run")
	f.keepsSecrets(r)
}

func TestNobodyElseMayUseTheDataDirectory(t *testing.T) {
	f := newFleet(t, "")
	f.configureServe(fmt.Sprintf(`<host name="one" address="%s" port="%d"/>`, f.sshd.Address, f.sshd.Port))
	s := f.serve(t)
	for line := ""; !strings.Contains(line, "statistics=") || strings.Contains(line, "statistics=0"); {
		line = s.waitFor(t, "reports stored") // those of a host that was passed over may be first
	}
	r := f.want(3, "run")
	if !strings.Contains(r.stderr, "another muster is at work on it") {
		t.Errorf("run beside serve does not say why not:\n%s", r.stderr)
	}
	f.want(0, "status")
	if status := s.stop(t); status != 0 {
		t.Errorf("serve ended with status %d, want 0", status)
	}
	f.want(0, "run")
}
