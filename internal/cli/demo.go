package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"muster/internal/config"
	"muster/internal/mail/sink"
)

type demoCommand struct {
	Hosts int    `default:"5" help:"How many hosts, 2 to 50."`
	Dir   string `placeholder:"FOLDER" help:"Where configuration, database and log go; it must not exist. Default: a new temporary folder."`
}

// Help is shown by muster demo --help.
func (demoCommand) Help() string {
	return `Shows the main job with nothing but this program: SSH servers on loopback stand for the hosts, each runs the real
client and has a log file; the database is SQLite; a small SMTP server on loopback takes the mail. Two sweeps are made. In
between one host is switched off, somebody tries passwords on the others, and a limit that is too low has been exceeded for
long enough. What was written stays, to be looked at.

Exit status: 0 shown; 2 usage; 3 something could not be used.`
}

// pause is how long the demo's limit must be exceeded, so that the second sweep raises the alert.
const pause = time.Second

// Run shows the demo.
func (c demoCommand) Run(ctx context.Context, env Env) (err error) {
	if c.Hosts < 2 || c.Hosts > 50 {
		return misuse(fmt.Errorf("--hosts=%d: 2 to 50 are possible", c.Hosts))
	}
	dir, err := c.folder()
	if err != nil {
		return err
	}
	fleet, err := newDemoFleet(dir, c.Hosts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	if err := fleet.LogPast(time.Now()); err != nil {
		return err
	}
	post, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, post.Close()) }()
	file := filepath.Join(dir, "muster.xml")
	if err := os.WriteFile(file, []byte(demoConfig(fleet, post.Port())), 0o600); err != nil {
		return err
	}
	cfg, err := config.Load(file)
	if err != nil {
		return fmt.Errorf("the configuration of the demo: %w", err)
	}
	fmt.Fprintf(env.Stdout, "%d hosts on loopback, SQLite, and a mail server that keeps what it gets.\nThe configuration: %s\n", c.Hosts, file)
	if err := demoSweeps(ctx, env, cfg, fleet); err != nil {
		return err
	}
	hosts, err := readStatus(ctx, cfg, false)
	if err != nil {
		return err
	}
	heading(env.Stdout, "muster status")
	if err := printStatus(env.Stdout, hosts, nil, time.Now()); err != nil {
		return err
	}
	for _, m := range post.Mails() {
		heading(env.Stdout, "The mail to "+strings.Join(m.To, ", "))
		if err := printMail(env.Stdout, m.Data); err != nil {
			return err
		}
	}
	heading(env.Stdout, "muster logs --failed-logons")
	if err := (logsCommand{FailedLogons: true}).show(ctx, env, cfg); err != nil {
		return err
	}
	printHints(env.Stdout, cfg)
	return nil
}

func (c demoCommand) folder() (string, error) {
	if c.Dir == "" {
		return os.MkdirTemp("", "muster-demo-")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", misuse(fmt.Errorf("--dir: %w", err))
	}
	return dir, nil
}

// demoSweeps makes the two sweeps and switches a host off in between.
func demoSweeps(ctx context.Context, env Env, cfg *config.Config, fleet *demoFleet) (err error) {
	p := newProgress(env.Stderr)
	defer p.Close()
	s, err := openServer(ctx, env, cfg, opening{progress: p})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()

	heading(env.Stdout, "The first sweep")
	enough := time.NewTimer(2 * pause)
	defer enough.Stop()
	summary, err := s.controller.Run(ctx)
	if err != nil {
		return err
	}
	inOrder(summary.Failed, cfg.Hosts)
	printSummary(env.Stdout, summary)
	select {
	case <-enough.C:
	case <-ctx.Done():
		return ctx.Err()
	}

	if err := fleet.LogAttack(time.Now()); err != nil {
		return err
	}
	last, err := fleet.SwitchOff()
	if err != nil {
		return err
	}
	heading(env.Stdout, "The second sweep: "+last+" is switched off, and somebody guesses passwords")
	if summary, err = s.controller.Run(ctx); err != nil {
		return err
	}
	inOrder(summary.Failed, cfg.Hosts)
	printSummary(env.Stdout, summary)
	return nil
}

// demoConfig returns the configuration of the demo: the hosts in two groups, and a limit that every machine exceeds.
func demoConfig(fleet *demoFleet, smtpPort int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<muster xmlns="urn:muster:config:1">
  <server data="data" log-file="muster.log"/>
  <mail host="127.0.0.1" port="%d" security="none" from="Muster &lt;muster@localhost&gt;" to="ops@localhost"/>
  <limit statistic="cpu.usage" above="99%%" for="5m"/>
  <limit statistic="disk.usage" above="100%%"/>
`, smtpPort)
	web := fleet.web()
	for i, h := range fleet.hosts {
		switch i {
		case 0:
			b.WriteString("  <group name=\"web\" user=\"muster\" key=\"id_ed25519\" known-hosts=\"known_hosts\">\n")
		case web:
			fmt.Fprintf(&b, `  </group>
  <group name="database" user="muster" key="id_ed25519" known-hosts="known_hosts">
    <!-- far too low, so that there is something to see -->
    <limit statistic="memory.usage" above="1%%" for="%s"/>
`, pause)
		}
		fmt.Fprintf(&b, `    <host name="%[1]s" address="127.0.0.1" port="%[2]d">
      <logs channel="%[3]s"/>
      <limit log="%[3]s" logon="failed" above="3" for="10m"/>
      <mail-records log="%[3]s" providers="useradd"/>
    </host>
`, h.name, h.server.Addr().Port, h.channel())
	}
	b.WriteString("  </group>\n</muster>\n")
	return b.String()
}

func heading(w io.Writer, text string) { fmt.Fprintf(w, "\n── %s\n\n", text) }

// printHints says where everything is, and what to try.
func printHints(w io.Writer, cfg *config.Config) {
	database := strings.TrimPrefix(cfg.Database.URL, "sqlite:")
	heading(w, "What was written stays, to be looked at")
	fmt.Fprintf(w, `  the log:       %s
  the database:  %s

Try:
  muster logs -c %[3]s --logons --since 10m
  muster logs -c %[3]s web1 --json --raw
  %[4]s
`, cfg.Server.LogFile, database, cfg.File, demoQuery(database))
}

// demoQuery is the command that the demo suggests.
func demoQuery(database string) string {
	return fmt.Sprintf(`sqlite3 -header -column %s "SELECT host, name, instance, value, unit FROM latest WHERE name IN ('memory.usage', 'load.1', 'disk.usage')"`,
		database)
}
