package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"muster/internal/remote"
	"muster/internal/report"
)

type dbBackupCommand struct {
	configFlag
	JSON bool   `help:"Print JSON."`
	File string `arg:"" help:"Where to write it; an existing file is never overwritten."`
}

// Help is shown by muster db backup --help.
func (dbBackupCommand) Help() string {
	return `Writes a copy of a SQLite database as it is at one moment. A server may use the database meanwhile and is not delayed.
The copy is compact, readable by you alone, and appears under its name when it is complete and on the disk. To restore
it, stop the server and put it in the place of the database, without the files -wal and -shm beside that.

MariaDB, MySQL and PostgreSQL have tools of their own, mysqldump and pg_dump: the command tells how to call them.

Exit status: 0 written; 2 usage, configuration, the file exists or can't be written, or the database is not SQLite;
3 the database could not be used.`
}

// Run writes the backup.
func (c dbBackupCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.loadSettings()
	if err != nil {
		return err
	}
	if advice := dumpCommand(cfg.Database.URL, c.File); advice != "" {
		return misuse(fmt.Errorf("only SQLite is backed up by muster; back this database up with\n  %s", advice))
	}
	database, err := openDatabase(ctx, cfg)
	if err != nil {
		return err
	}
	size, err := database.Backup(ctx, c.File)
	err = errors.Join(unusable(err), database.Close())
	switch {
	case errors.Is(err, fs.ErrExist):
		return misuse(fmt.Errorf("%s exists and stays as it is: name another file, or remove it first", c.File))
	case err != nil:
		return err
	case c.JSON:
		return writeJSON(env.Stdout, struct {
			File  string `json:"file"`
			Bytes int64  `json:"bytes"`
		}{c.File, size})
	}
	fmt.Fprintf(env.Stdout, "wrote %s: %s\n", c.File, report.FormatValue(float64(size), "B"))
	return nil
}

// dumpCommand returns how to back up a database on a server into a file; empty for SQLite. Each takes its copy in one
// transaction, so that the server goes on, and asks for the password, unless it finds it where it looks for it.
func dumpCommand(database, file string) string {
	u, err := url.Parse(database)
	if err != nil || u.Scheme == "sqlite" {
		return ""
	}
	if u.Scheme == "postgres" {
		return "pg_dump --format=custom --file=" + remote.Quote(file) + " " + remote.Quote(database)
	}
	words := []string{"mysqldump", "--single-transaction"}
	if socket := u.Query().Get("socket"); socket != "" {
		words = append(words, "--socket="+remote.Quote(socket))
	} else {
		words = append(words, "--host="+remote.Quote(u.Hostname()))
		if u.Port() != "" {
			words = append(words, "--port="+u.Port())
		}
	}
	words = append(words, "--user="+remote.Quote(u.User.Username()), "--password", remote.Quote(strings.TrimPrefix(u.Path, "/")))
	return strings.Join(words, " ") + " > " + remote.Quote(file)
}
