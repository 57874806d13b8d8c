package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"muster/internal/config"
	"muster/internal/controller"
	"muster/internal/store"
)

type logsCommand struct {
	configFlag
	Channel      []string `placeholder:"NAME" help:"Only of this channel: Security, journal, file:/var/log/auth.log …"`
	Event        string   `placeholder:"IDS" help:"Only these events: 1102,4624-4625,!4634."`
	Level        string   `placeholder:"LEVEL" help:"Only of this level or graver, such as warning; audit-failure and audit-success are levels of their own."`
	Source       []string `placeholder:"NAME" help:"Only of this program or provider."`
	Since        string   `placeholder:"TIME" help:"Not older: 2h, 7d, today, 14:30, 2026-03-14, \"2026-03-14 14:30\"."`
	Until        string   `placeholder:"TIME" help:"Older than that."`
	Text         string   `placeholder:"TEXT" help:"Only with this in message, data, source, user or computer, in whatever case."`
	User         string   `placeholder:"NAME" help:"Only of this user, or of logons to this account."`
	Address      string   `placeholder:"ADDRESS" help:"Only of logons from there."`
	FailedLogons bool     `xor:"logons" help:"Only who failed to log in."`
	Logons       bool     `xor:"logons" help:"Only who logged in, or failed to."`
	Lines        *int     `short:"n" placeholder:"N" help:"Only the last so many; 0 all, or with --follow none. Default: 100, or all where --since or --until is given."`
	Follow       bool     `short:"f" help:"Go on showing what is stored, until interrupted."`
	Raw          bool     `help:"Show each record as the host has it: the event's XML, the line."`
	JSON         bool     `help:"Print JSON, an object a line, with all that is known of a record."`
	Host         []string `arg:"" optional:"" help:"Hosts or groups to show, * and ? stand for others; default: all."`
}

// defaultLines is how many records are shown where nothing is said of it.
const defaultLines = 100

// followPause is how long following waits before it looks again: records come home with visits, so a second is soon enough.
const followPause = time.Second

// Help is shown by muster logs --help.
func (logsCommand) Help() string {
	return `Shows the log records in the database, the newest last, with their times in the local zone. What is asked of them in
several ways all holds; of a flag that is given several times, any. Windows events are described in words, and those of the
audit that administrators know by name (docs/windows.md). What was gone from a log before it was read stands there as a gap.

    muster logs --failed-logons --since 24h          who failed to log in, anywhere
    muster logs 'web*' --level error --follow        errors of the web servers, as they come
    muster logs --channel Security --event 4720,4728,4732,1102 --since 7d

Records come home with visits: --follow shows them when they are stored, in that order. On a terminal lines are cut to
its width; a pipe and --json get everything. Control characters are shown as escapes.

Exit status: 0 done, also where there is no such record; 1 interrupted (--follow: 0); 2 usage or configuration; 3 the
database could not be used, or is not there yet.`
}

// Run prints the records.
func (c logsCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.load(ctx)
	if err != nil {
		return err
	}
	return c.show(ctx, env, cfg)
}

// show prints the records that a fleet's database has.
func (c logsCommand) show(ctx context.Context, env Env, cfg *config.Config) error {
	query, err := c.query(cfg, time.Now())
	if err != nil {
		return misuse(err)
	}
	database, err := controller.ReadStore(ctx, cfg.Database, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	p := c.printer(cfg, env.Stdout)
	if c.Follow {
		err = c.follow(ctx, database, query, p, env.Stderr)
	} else {
		err = show(ctx, database, query, p)
		if err == nil && p.shown() == 0 {
			fmt.Fprintf(env.Stderr, "muster: %s\n", c.nothing(cfg))
		}
	}
	return errors.Join(err, database.Close())
}

// linePrinter prints lines, and knows how many it has printed.
type linePrinter interface {
	print(line *store.LogLine) error
	shown() int
}

func (c logsCommand) printer(cfg *config.Config, w io.Writer) linePrinter {
	if c.JSON {
		return newJSONLines(w)
	}
	return newLogTable(w, cfg, c.Raw)
}

// show prints the lines of a query.
func show(ctx context.Context, database *store.Store, query store.LogQuery, p linePrinter) error {
	for line, err := range database.Logs(ctx, query) {
		if err != nil {
			return unusable(err)
		}
		if err := p.print(&line); err != nil {
			return err
		}
	}
	return nil
}

// follow prints the lines that are there, and those that come, until ctx ends. A database that is away for a while is
// waited for.
func (c logsCommand) follow(ctx context.Context, database *store.Store, query store.LogQuery, p linePrinter, stderr io.Writer) error {
	end, err := database.LogEnd(ctx)
	if err != nil {
		return unusable(err)
	}
	if query.Upto = end; end > 0 && !(c.Lines != nil && *c.Lines == 0 && c.Since == "") {
		err = show(ctx, database, query, p)
		if ctx.Err() == nil && err != nil {
			return err
		}
	}
	query.Newest = 0
	ticker := time.NewTicker(followPause)
	defer ticker.Stop()
	away := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		next, err := database.LogEnd(ctx)
		if err == nil && next > end {
			query.After, query.Upto = end, next
			err = show(ctx, database, query, &advancing{linePrinter: p, query: &query})
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, controller.ErrUnusable), errors.Is(err, store.ErrUnavailable):
			if !away {
				fmt.Fprintf(stderr, "muster: waiting for the database: %v\n", err)
			}
			away = true
			end = max(end, query.After) // what was printed is not printed again
			continue
		case err != nil:
			return err
		}
		away, end = false, next
	}
}

// advancing is a printer that has its query go on after each line that was printed.
type advancing struct {
	linePrinter
	query *store.LogQuery
}

func (a *advancing) print(line *store.LogLine) error {
	err := a.linePrinter.print(line)
	a.query.After = max(a.query.After, line.Position)
	return err
}

// nothing says why there may be no record, and what to do.
func (c logsCommand) nothing(cfg *config.Config) string {
	unknown := slices.DeleteFunc(slices.Clone(c.Host), func(name string) bool { return len(hostsLike(cfg, name)) > 0 })
	switch {
	case len(unknown) > 0:
		return fmt.Sprintf("no such log records; the configuration has no host and no group %q", unknown[0])
	case !slices.ContainsFunc(cfg.Hosts, func(h config.Host) bool { return len(h.Logs) > 0 }):
		return `no log records: the configuration asks no host for any; add <logs channel="Security"/> or <logs channel="journal"/> ` +
			`to a group or host, and they come with its next visit`
	case c.selects():
		return "no such log records; muster logs without options shows the newest there are"
	}
	return "no log records yet: they come with the visits of muster run and muster serve, from the hosts that have <logs>"
}

// selects says whether anything is asked of the records.
func (c logsCommand) selects() bool {
	return len(c.Channel)+len(c.Source)+len(c.Host) > 0 || c.FailedLogons || c.Logons ||
		strings.Join([]string{c.Event, c.Level, c.Since, c.Until, c.Text, c.User, c.Address}, "") != ""
}
