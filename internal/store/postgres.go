package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	gormpostgres "gorm.io/driver/postgres"
	"gorm.io/gorm"

	"muster/internal/dburl"
)

// newPostgres returns the engine of a database on a PostgreSQL server.
func newPostgres(u *url.URL, password string) (*engine, error) {
	config, err := postgresConfig(u, password)
	if err != nil {
		return nil, err
	}
	maintenance := config.Copy()
	maintenance.Database = "postgres"
	e := &engine{
		name:  "postgres",
		place: place(u),
		rows:  1000,
		dialector: func(db *sql.DB) gorm.Dialector {
			return gormpostgres.New(gormpostgres.Config{Conn: db, WithoutReturning: true})
		},
		goose:    goose.DialectPostgres,
		locker:   postgresLocker,
		incoming: func(column string) string { return "excluded." + column },
		earlier: func(instant string) string {
			return fmt.Sprintf("%s - INTERVAL '%d seconds'", instant, int(tardy.Seconds()))
		},
		along: func(table, _ string) string { return table }, // it knows its tables
		like:  func(column string) string { return column + "::text ILIKE ? ESCAPE '!'" },
		code:  postgresFault,

		ownTables: "information_schema.tables WHERE table_schema = current_schema() AND table_name",
		space:     postgresSpace,
	}
	e.open = func(ctx context.Context) (*sql.DB, error) {
		pool, err := openServer(ctx, e, server{
			connector:   stdlib.GetConnector(*config),
			maintenance: stdlib.GetConnector(*maintenance),
			create:      "CREATE DATABASE " + quotePostgres(config.Database) + " ENCODING 'UTF8' TEMPLATE template0",
			exists:      postgresExists,
		})
		if err != nil {
			return nil, err
		}
		if err := checkEncoding(ctx, pool); err != nil {
			_ = pool.Close()
			return nil, err
		}
		return pool, nil
	}
	return e, nil
}

func quotePostgres(name string) string {
	return pgx.Identifier{name}.Sanitize() //nolint:misspell // the driver's spelling
}

func postgresConfig(u *url.URL, password string) (*pgx.ConnConfig, error) {
	if err := checkParameters(dburl.Postgres(), u.Query()); err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	if password != "" {
		config.Password = password
	}
	// A batch is seldom as long as the one before, so that a prepared statement would seldom be used again, and each
	// would be kept on the server.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.RuntimeParams["timezone"] = "UTC"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "muster"
	}
	if config.ConnectTimeout <= 0 || config.ConnectTimeout > connectTimeout {
		config.ConnectTimeout = connectTimeout
	}
	return config, nil
}

// postgresLocker uses an advisory lock of the session: it ends with the connection of whoever held it.
func postgresLocker() (goose.ProviderOption, error) {
	l, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300), lock.WithUnlockTimeout(1, 10))
	if err != nil {
		return nil, err
	}
	return goose.WithSessionLocker(l), nil
}

// checkEncoding refuses a database in which not every text can be stored.
func checkEncoding(ctx context.Context, pool *sql.DB) error {
	var encoding string
	if err := pool.QueryRowContext(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("%w: its encoding is %s: create it with ENCODING 'UTF8' TEMPLATE template0", ErrUnavailable, encoding)
	}
	return nil
}

// postgresExists says that somebody else has created the database meanwhile: duplicate_database, or unique_violation in
// the catalogue where both were at it.
func postgresExists(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "42P04" || e.Code == "23505")
}

// postgresFault knows the codes of https://www.postgresql.org/docs/current/errcodes-appendix.html.
func postgresFault(err error) (fault, bool) {
	var e *pgconn.PgError
	if !errors.As(err, &e) || len(e.Code) != 5 {
		return 0, false
	}
	switch e.Code {
	case "40001", "40P01", "55P03": // serialisation failure, deadlock, lock not available
		return contended, true
	case "57P01", "57P02", "57P03", "57P05": // admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout
		return lost, true
	case "42501": // insufficient_privilege
		return denied, true
	case "3D000": // invalid_catalog_name
		return missing, true
	case "25006", "57014": // read_only_sql_transaction, query_canceled
		return unusable, true
	}
	switch e.Code[:2] {
	case "08": // connection exception
		return lost, true
	case "28": // invalid authorization specification
		return denied, true
	case "53", "58": // insufficient resources (disk full, too many connections), system error
		return unusable, true
	}
	return refused, true
}
