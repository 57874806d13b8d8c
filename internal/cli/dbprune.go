package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"muster/internal/config"
	"muster/internal/store"
)

type dbPruneCommand struct {
	configFlag
	Keep string `placeholder:"DURATION" help:"How long to keep what was reported, such as 90d; at least 1d. Default: what the configuration says."`
	JSON bool   `help:"Print JSON."`
}

// Help is shown by muster db prune --help.
func (dbPruneCommand) Help() string {
	return `Deletes statistics, visits, sweeps, log records and past alerts that are older than the configuration keeps, which
"muster serve" does every hour. It works in small steps and may run beside a server. What it was stopped before, the next
run deletes. The space is used again by what comes next; muster db status shows it as free.

Exit status: 0 done; 1 interrupted; 2 usage or configuration; 3 the database could not be used.`
}

// Run prunes the database.
func (c dbPruneCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.loadSettings()
	if err != nil {
		return err
	}
	keep, err := c.keep(cfg.Database)
	if err != nil {
		return err
	}
	database, err := openCurrent(ctx, cfg)
	if err != nil {
		return err
	}
	before := time.Now().Add(-keep)
	pruned, err := database.PruneWatched(ctx, before, deletionProgress(env.Stderr))
	err = errors.Join(unusable(err), database.Close())
	if c.JSON {
		return errors.Join(err, writeJSON(env.Stdout, prunedJSON(before, pruned)))
	}
	fmt.Fprintf(env.Stdout, "deleted %s rows from before %s: %s statistics, %s visits, %s sweeps, %s alerts, %s log records\n",
		grouped(pruned.Rows()), before.Local().Format("2006-01-02 15:04:05"), grouped(pruned.Statistics), grouped(pruned.Visits),
		grouped(pruned.Sweeps), grouped(pruned.Alerts), grouped(pruned.Logs))
	return err
}

// deletionProgress returns what shows a person how far a deletion is; nothing is shown where nobody watches.
func deletionProgress(w io.Writer) func(store.Pruned) {
	if !isTerminal(w) {
		return func(store.Pruned) {}
	}
	return func(p store.Pruned) { fmt.Fprintf(w, "\r%s rows deleted \r", grouped(p.Rows())) }
}

// keep returns how long rows are kept: what the command line says, else the configuration.
func (c dbPruneCommand) keep(database config.Database) (time.Duration, error) {
	if c.Keep == "" {
		if database.Keep == 0 {
			return 0, misuse(errors.New("the configuration keeps everything: say --keep, or <database keep=\"400d\"/> for good"))
		}
		return database.Keep, nil
	}
	keep, err := config.ParseDuration(c.Keep)
	switch {
	case err != nil:
		return 0, misuse(fmt.Errorf("--keep %s: %w", c.Keep, err))
	case keep < 24*time.Hour:
		return 0, misuse(fmt.Errorf("--keep %s: must be 1d at least", c.Keep))
	}
	return keep, nil
}

type prunedResult struct {
	Before     time.Time `json:"before"`
	Statistics int64     `json:"statistics"`
	Visits     int64     `json:"visits"`
	Sweeps     int64     `json:"sweeps"`
	Alerts     int64     `json:"alerts"`
	Logs       int64     `json:"logs"`
	Gaps       int64     `json:"log_gaps"`
}

func prunedJSON(before time.Time, p store.Pruned) prunedResult {
	return prunedResult{before.UTC(), p.Statistics, p.Visits, p.Sweeps, p.Alerts, p.Logs, p.Gaps}
}
