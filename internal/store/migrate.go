package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// Version is which version of the schema a database has; the first is 1, and one that is empty has 0.
type Version struct {
	Before  int64 // when it was opened
	Now     int64 // after that
	Program int64 // what this program works with
}

// Version returns the version of the schema.
func (s *Store) Version() Version { return s.version }

// prepare brings the schema to this program's version, unless the database is opened as it is.
func (e *engine) prepare(ctx context.Context, pool *sql.DB, log *slog.Logger) (Version, error) {
	if !e.asIs {
		return e.migrate(ctx, pool, log)
	}
	provider, err := e.provider(pool)
	if err != nil {
		return Version{}, err
	}
	sources := provider.ListSources()
	v := Version{Program: sources[len(sources)-1].Version}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	// The migration library would create its table.
	var tables int
	if err := pool.QueryRowContext(ctx, "SELECT count(*) FROM "+e.ownTables+" = 'goose_db_version'").Scan(&tables); err != nil {
		return v, fmt.Errorf("look for the table of versions: %w", err)
	}
	if tables > 0 {
		var highest sql.NullInt64
		if err := pool.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version").Scan(&highest); err != nil {
			return v, fmt.Errorf("read the version: %w", err)
		}
		v.Before, v.Now = highest.Int64, highest.Int64
	}
	if v.Now > v.Program {
		return v, newer(v.Now, v.Program)
	}
	return v, nil
}

// newer is the error of a database that this program does not know.
func newer(database, program int64) error {
	return fmt.Errorf("%w (the database has version %d, this program knows %d)", ErrNewer, database, program)
}

// migrate brings the schema to this program's version. It takes the engine's lock only where there is something to do.
//
// The lock does not cover the creation of the table of versions, and SQLite has no lock that outlives a transaction. So of
// two servers that start at once one may fail on what the other has just created. Its transaction is rolled back, and the
// next attempt finds that step done: each failed attempt means that the other has got further.
func (e *engine) migrate(ctx context.Context, pool *sql.DB, log *slog.Logger) (Version, error) {
	provider, err := e.provider(pool)
	if err != nil {
		return Version{}, err
	}
	tries := len(provider.ListSources()) + 3 // the table of versions takes up to two steps
	for try := 1; ; try++ {
		before, after, err := e.up(ctx, provider, pool, log)
		if err == nil {
			if before != after {
				log.Info("database migrated", "database", e.place, "from", before, "to", after)
			}
			return Version{Before: before, Now: after, Program: after}, nil
		}
		if f := e.fault(err); f != refused && f != contended || errors.Is(err, ErrNewer) || try == tries {
			return Version{}, err
		}
		if wait(ctx, firstPause) != nil {
			return Version{}, err
		}
	}
}

func (e *engine) provider(pool *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+e.name)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	if e.locker != nil {
		locker, err := e.locker()
		if err != nil {
			return nil, err
		}
		options = append(options, locker)
	}
	return goose.NewProvider(e.goose, pool, files, options...)
}

func (e *engine) up(ctx context.Context, provider *goose.Provider, pool *sql.DB, log *slog.Logger) (before, after int64, err error) {
	before, after, err = e.versions(ctx, provider, pool)
	if err != nil || before == after {
		return before, after, err
	}
	defer e.noticeAfter(ctx, log)()
	_, err = provider.Up(ctx)
	return before, after, err
}

// versions returns the version of the database, after mending what an interrupted migration has left, and the program's. It
// makes the table of versions where there is none.
func (e *engine) versions(ctx context.Context, provider *goose.Provider, pool *sql.DB) (before, after int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	if e.repair != nil {
		if err := e.repair(ctx, pool); err != nil {
			return 0, 0, fmt.Errorf("look for an interrupted migration: %w", err)
		}
	}
	before, after, err = provider.GetVersions(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read the version: %w", err)
	}
	if before > after {
		return before, after, newer(before, after)
	}
	return before, after, nil
}

// noticeAfter has the log say after a while that the migration is not over. The returned function ends that, and waits for
// it.
func (e *engine) noticeAfter(ctx context.Context, log *slog.Logger) (end func()) {
	ended := make(chan struct{})
	var noticing sync.WaitGroup
	noticing.Go(func() {
		timer := time.NewTimer(e.notice)
		defer timer.Stop()
		select {
		case <-timer.C:
			log.Info("the database is being migrated, by this server or by another that it waits for", "database", e.place)
		case <-ctx.Done():
		case <-ended:
		}
	})
	return func() {
		close(ended)
		noticing.Wait()
	}
}
