package cli

import (
	"context"
	"errors"
	"fmt"

	"muster/internal/store"
)

type dbVerifyCommand struct {
	configFlag
	JSON bool `help:"Print JSON."`
}

// Help is shown by muster db verify --help.
func (dbVerifyCommand) Help() string {
	return `Looks for what must not be: a version of the tables that is not this program's, a damaged SQLite file, statistics and
visits without series, host or sweep, series that are not what their ids say. It changes nothing. It reads the whole
database, which takes its time, and may run beside a server. The files of MariaDB, MySQL and PostgreSQL are for their own
tools: mariadb-check, mysqlcheck, pg_amcheck.

To verify a backup, name it in a configuration of its own: <database url="sqlite:backup.db"/>.

Exit status: 0 nothing is wrong; 1 something is; 2 usage or configuration; 3 the database could not be used.`
}

type checkJSON struct {
	Check    string   `json:"check"`
	Problems int64    `json:"problems"`
	Details  []string `json:"details,omitempty"`
	Advice   string   `json:"advice,omitempty"`
}

// Run prints each check when it is done.
func (c dbVerifyCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.loadSettings()
	if err != nil {
		return err
	}
	database, err := openDatabase(ctx, cfg)
	if err != nil {
		return err
	}
	wrong, results := false, []checkJSON{}
	err = database.Verify(ctx, func(check store.Check) {
		wrong = wrong || check.Problems > 0
		results = append(results, checkJSON{check.Name, check.Problems, check.Details, check.Advice})
		if !c.JSON {
			printCheck(env, check)
		}
	})
	err = errors.Join(unusable(err), database.Close())
	if c.JSON {
		err = errors.Join(err, writeJSON(env.Stdout, results))
	}
	if err == nil && wrong {
		return &exitError{status: exitHosts}
	}
	return err
}

func printCheck(env Env, check store.Check) {
	if check.Problems == 0 {
		fmt.Fprintf(env.Stdout, "ok     %s\n", check.Name)
		return
	}
	fmt.Fprintf(env.Stdout, "WRONG  %s: %s\n", check.Name, count(int(check.Problems), "problem"))
	for _, detail := range check.Details {
		fmt.Fprintf(env.Stdout, "         %s\n", printable(detail))
	}
	fmt.Fprintf(env.Stdout, "       what to do: %s\n", check.Advice)
}
