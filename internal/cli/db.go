package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"muster/internal/config"
	"muster/internal/controller"
	"muster/internal/store"
)

// dbCommand is the group of commands for the database. None needs the data directory's lock: they may run beside a
// server.
type dbCommand struct {
	Status  dbStatusCommand  `cmd:"" help:"Show how large the database is, how it grows, and when it will stop growing."`
	Migrate dbMigrateCommand `cmd:"" help:"Create the database, or bring it to this version of the program."`
	Verify  dbVerifyCommand  `cmd:"" help:"Look for damage and for rows that belong to nothing."`
	Backup  dbBackupCommand  `cmd:"" help:"Write a copy of a SQLite database, while a server may use it."`
	Prune   dbPruneCommand   `cmd:"" help:"Delete what is older than the configuration keeps, now."`
}

// openDatabase opens the database of the configuration, which the caller closes. It is not created and not migrated.
func openDatabase(ctx context.Context, cfg *config.Config) (*store.Store, error) {
	return openStore(ctx, cfg, true)
}

// openCurrent does so too, and refuses a database that is not of this program's version.
func openCurrent(ctx context.Context, cfg *config.Config) (*store.Store, error) {
	database, err := openDatabase(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if v := database.Version(); v.Now != v.Program {
		err := fmt.Errorf("database %w: %s has version %d, this program works with %d: muster db migrate",
			controller.ErrUnusable, database, v.Now, v.Program)
		return nil, errors.Join(err, database.Close())
	}
	return database, nil
}

func openStore(ctx context.Context, cfg *config.Config, asIs bool) (*store.Store, error) {
	database, err := store.Open(ctx, store.Options{
		URL: cfg.Database.URL, Password: cfg.Database.Password.Reveal(), Logger: slog.New(slog.DiscardHandler), AsIs: asIs,
	})
	switch {
	case errors.Is(err, store.ErrURL):
		return nil, fmt.Errorf("%w: database: %w", controller.ErrConfiguration, err)
	case err != nil:
		return nil, fmt.Errorf("database %w: %w", controller.ErrUnusable, err)
	}
	return database, nil
}

// unusable is the error of a database that fails while it is used: its own faults are the database's, what the user asked
// for in vain stays what it is.
func unusable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("database %w: %w", controller.ErrUnusable, err)
}

// grouped returns a number with a comma after each three digits.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
