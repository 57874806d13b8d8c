package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"muster/internal/config"
	"muster/internal/controller"
	"muster/internal/deploy"
	"muster/internal/systemd"
	"muster/internal/visit"
)

type runCommand struct {
	configFlag
	JSON bool `help:"Print what the sweep came to as JSON."`
}

// Help is shown by muster run --help.
func (runCommand) Help() string {
	return `Makes one sweep: every host is visited once, its report stored, its limits evaluated, and one mail sent to each
receiver who has news. While the database or the mail server is away, reports and mails wait in the data directory for
the next run or serve. Every host that failed is listed with the stage at which it failed and what to do about it. Hosts
with logs that can't be read did not fail: they are counted, and "muster status" says which logs, and what to do.

Rates such as cpu.usage are over a quarter of a second: counters are remembered from sweep to sweep by "muster serve"
alone, whose rates are over the whole interval.

On a terminal it shows progress, and, where the configuration names neither a log file nor another level than info, logs
errors alone.

Exit status: 0 all well; 1 some hosts failed, or it was interrupted; 2 usage or configuration; 3 the database, the mail
server or another thing that it takes could not be used.`
}

// Run makes the sweep.
func (c runCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.loadFleet(ctx)
	if err != nil {
		return err
	}
	p := newProgress(env.Stderr)
	defer p.Close()
	s, err := openServer(ctx, env, cfg, opening{progress: p})
	if err != nil {
		return err
	}
	summary, err := s.controller.Run(ctx)
	inOrder(summary.Failed, cfg.Hosts)
	err = errors.Join(err, s.Close())
	p.Close()
	if c.JSON {
		err = errors.Join(err, writeJSON(env.Stdout, summaryJSON(summary)))
	} else {
		printSummary(env.Stdout, summary)
	}
	switch {
	case err != nil:
		return err
	case summary.Cancelled, len(summary.Failed) > 0:
		return &exitError{status: exitHosts}
	}
	return nil
}

// server is a controller with its log.
type server struct {
	controller *controller.Controller
	log        *logging
}

// opening says how a server is opened.
type opening struct {
	progress *progress                                     // where the configuration names no log file the log goes above it; nil: none
	load     func(context.Context) (*config.Config, error) // reads the configuration anew; nil: it stays as it is
	managed  bool                                          // whoever started the server, such as systemd, is told how it does
}

// openServer makes the controller that the configuration asks for, with its log.
func openServer(ctx context.Context, env Env, cfg *config.Config, o opening) (*server, error) {
	stderr, watched := env.Stderr, false
	options := controller.Options{Config: cfg, Version: env.Version}
	if p := o.progress; p != nil {
		stderr, watched, options.Observers = p.Log(), p.visible, []visit.Observer{p}
	}
	log, err := newLogging(cfg.Server, stderr, watched)
	if err != nil {
		return nil, err
	}
	log.Info("muster", "version", env.Version, "configuration", cfg.File, "hosts", len(cfg.Hosts))
	tellWarnings(cfg, log.Logger, env.Stderr, watched)
	options.Logger = log.Logger
	if o.load != nil {
		r := &reloading{log: log, load: o.load}
		options.Load, options.Adopted = r.read, r.adopted
	}
	if o.managed {
		options.Manager = systemd.FromEnvironment(log.Logger)
	}
	var made *controller.Controller
	options.Clients, err = deploy.Embedded()
	if err == nil {
		made, err = controller.New(ctx, options)
	}
	if err != nil {
		if cfg.Server.LogFile != "" { // standard error is told by who called
			log.Error("can't start", "err", err)
		}
		return nil, errors.Join(err, log.Close())
	}
	return &server{controller: made, log: log}, nil
}

// Close releases what openServer acquired.
func (s *server) Close() error { return errors.Join(s.controller.Close(), s.log.Close()) }

// printSummary says what a sweep came to: the hosts that failed, each with advice, and one line for all.
func printSummary(w io.Writer, s controller.Summary) {
	for _, v := range s.Failed {
		fmt.Fprintf(w, "%s (%s): %s: %s\n    %s\n", printable(v.Host), v.Address, v.Failure.Stage,
			printable(v.Failure.Err.Error()), printable(v.Failure.Help()))
	}
	hosts, stopped := count(s.Hosts, "host"), ""
	if n := visited(s); n < s.Hosts {
		hosts = fmt.Sprintf("%d of %s", n, hosts)
	}
	if s.Cancelled {
		stopped = ", then stopped"
	}
	records := ""
	if s.Records > 0 {
		records = ", " + count(s.Records, "log record")
	}
	if s.Unread > 0 {
		records += fmt.Sprintf(", %s with logs that can't be read", count(s.Unread, "host"))
	}
	fmt.Fprintf(w, "%s visited in %s%s: %d reported, %d failed%s; %s\n", hosts, s.Took.Round(time.Millisecond), stopped,
		s.Visited, len(s.Failed), records, alertsLine(s))
}

// visited returns how many visits told something of their host. The others were broken off, or did not begin.
func visited(s controller.Summary) int { return s.Visited + len(s.Failed) }

// inOrder sorts failed visits as their hosts stand in the configuration.
func inOrder(failed []*visit.Visit, hosts []config.Host) {
	place := make(map[string]int, len(hosts))
	for i, h := range hosts {
		place[h.Name] = i
	}
	slices.SortStableFunc(failed, func(a, b *visit.Visit) int { return cmp.Compare(place[a.Host], place[b.Host]) })
}

func alertsLine(s controller.Summary) string {
	if s.Firing == 0 && s.Raised == 0 && s.Ended == 0 {
		return "no alerts"
	}
	return fmt.Sprintf("%s (%d new, %d over)", count(s.Firing, "alert"), s.Raised, s.Ended)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		noun = stem + "ie"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

type sweepResult struct {
	Sweep     time.Time       `json:"sweep"`
	Seconds   float64         `json:"seconds"`
	Hosts     int             `json:"hosts"`   // in the configuration
	Visited   int             `json:"visited"` // of them; fewer where the sweep was stopped
	Reported  int             `json:"reported"`
	Failed    []failureResult `json:"failed"`
	Records   int             `json:"records"` // log records that came home
	Unread    int             `json:"unread"`  // hosts with logs that could not be read
	Alerts    int             `json:"alerts"`
	Raised    int             `json:"raised"`
	Ended     int             `json:"ended"`
	Cancelled bool            `json:"cancelled"`
}

type failureResult struct {
	Host    string `json:"host"`
	Address string `json:"address"`
	Stage   string `json:"stage"`
	Kind    string `json:"kind"`
	Error   string `json:"error"`
	Advice  string `json:"advice"`
}

func summaryJSON(s controller.Summary) sweepResult {
	result := sweepResult{
		Sweep: s.Sweep, Seconds: s.Took.Seconds(), Hosts: s.Hosts, Visited: visited(s), Reported: s.Visited, Failed: []failureResult{},
		Records: s.Records, Unread: s.Unread, Alerts: s.Firing, Raised: s.Raised, Ended: s.Ended, Cancelled: s.Cancelled,
	}
	for _, v := range s.Failed {
		result.Failed = append(result.Failed, failureJSON(v))
	}
	return result
}

// failureJSON is the failure of a visit that failed.
func failureJSON(v *visit.Visit) failureResult {
	return failureResult{
		Host: v.Host, Address: v.Address, Stage: string(v.Failure.Stage), Kind: string(v.Failure.Kind),
		Error: v.Failure.Err.Error(), Advice: v.Failure.Help(),
	}
}
