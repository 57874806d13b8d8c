package cli

import (
	"context"
	"errors"
	"fmt"
)

type dbMigrateCommand struct {
	configFlag
	JSON bool `help:"Print JSON."`
}

// Help is shown by muster db migrate --help.
func (dbMigrateCommand) Help() string {
	return `Creates the database if there is none, and brings its tables to the version that this program works with. Every
command that stores something does so by itself; this is for those who want to see it done, or whose server's user may
not change tables: run it with a configuration that names another user. Take a backup before: there is no way back.

Exit status: 0 the database is of this program's version; 2 usage or configuration; 3 the database could not be used,
or a newer program has migrated it.`
}

// Run migrates the database.
func (c dbMigrateCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.loadSettings()
	if err != nil {
		return err
	}
	database, err := openStore(ctx, cfg, false)
	if err != nil {
		return err
	}
	place, v := database.String(), database.Version()
	if err := errors.Join(err, database.Close()); err != nil {
		return err
	}
	switch {
	case c.JSON:
		return writeJSON(env.Stdout, struct {
			Database string `json:"database"`
			From     int64  `json:"from"`
			To       int64  `json:"to"`
		}{place, v.Before, v.Now})
	case v.Before == v.Now:
		fmt.Fprintf(env.Stdout, "%s has version %d already: nothing to do\n", place, v.Now)
	default:
		fmt.Fprintf(env.Stdout, "%s migrated from version %d to %d\n", place, v.Before, v.Now)
	}
	return nil
}
