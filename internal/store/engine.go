package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"gorm.io/gorm"

	"muster/internal/dburl"
)

// engine is what differs between the databases.
type engine struct {
	name      string // sqlite, mysql, postgres: the folder of its migrations
	place     string // where the database is, for people
	asIs      bool   // the database is neither created nor migrated
	ownTables string // where the engine lists the tables of this database, up to the name that is compared
	oneWriter bool   // one transaction at a time
	rows      int    // statistics in one INSERT

	timeout time.Duration // of each question before a migration
	notice  time.Duration // after which a migration that is not over is worth a line in the log

	open      func(ctx context.Context) (*sql.DB, error) // a pool that has connected; the database exists
	dialector func(*sql.DB) gorm.Dialector
	goose     goose.Dialect
	locker    func() (goose.ProviderOption, error) // keeps two servers from migrating at once; nil: no need of one
	repair    func(context.Context, *sql.DB) error // mends what an interrupted migration has left; nil: nothing can be left
	incoming  func(column string) string           // the value that an upsert brings
	earlier   func(instant string) string          // an instant of a column, less tardy
	along     func(table, index string) string     // a table of which rows are read along an index; "": its primary key
	like      func(column string) string           // that a column is like a pattern, in whatever case
	code      func(error) (fault, bool)            // classifies the engine's own errors

	space func(context.Context, *sql.DB) (space, error)              // what the database takes on disk
	check func(context.Context, *sql.DB) ([]string, error)           // what the engine itself finds wrong; nil: ask its own tools
	copy  func(ctx context.Context, pool *sql.DB, path string) error // writes a copy into an empty file; nil: ask its own tools
}

// CheckURL returns an error that wraps ErrURL if there can be no database of this URL. It asks no server.
func CheckURL(url string) error {
	_, err := newEngine(Options{URL: url}, slog.New(slog.DiscardHandler))
	return err
}

const migrationNotice = 3 * time.Second

func newEngine(o Options, log *slog.Logger) (*engine, error) {
	e, err := engineOf(o, log)
	if err != nil {
		return nil, err
	}
	e.asIs, e.timeout, e.notice = o.AsIs, transactionTimeout, migrationNotice
	return e, nil
}

func engineOf(o Options, log *slog.Logger) (*engine, error) {
	scheme, rest, _ := strings.Cut(o.URL, ":")
	switch scheme {
	case "sqlite":
		return newSQLite(rest)
	case "mysql", "mariadb":
		u, err := parseURL(o.URL)
		if err != nil {
			return nil, err
		}
		return newMySQL(u, o.Password, log)
	case "postgres", "postgresql":
		u, err := parseURL(o.URL)
		if err != nil {
			return nil, err
		}
		return newPostgres(u, o.Password)
	}
	return nil, fmt.Errorf("%w: it must begin with sqlite:, mysql://, mariadb://, postgres:// or postgresql://", ErrURL)
}

// parseURL parses the URL of a database server. Its errors quote nothing of the URL, where a password may be.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: the form is scheme://user@host:port/name?parameters", ErrURL)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: the parameters after ? are malformed", ErrURL)
	}
	_, secret := u.User.Password()
	if secret || query.Has("password") || query.Has("sslpassword") {
		return nil, fmt.Errorf("%w: it holds a password, which belongs in the attribute \"password\"", ErrURL)
	}
	if strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("%w: it names no database: the form is scheme://user@host:port/name?parameters", ErrURL)
	}
	return u, nil
}

// checkParameters refuses what a driver would take for a variable of the server.
func checkParameters(known []dburl.Parameter, query url.Values) error {
	for name, values := range query {
		p, ok := dburl.Find(known, name)
		if !ok {
			return fmt.Errorf("%w: there is no parameter %q", ErrURL, name)
		}
		for _, value := range values {
			if err := p.Check(value); err != nil {
				return fmt.Errorf("%w: the parameter %s %w", ErrURL, name, err)
			}
		}
	}
	return nil
}

// place returns the URL without its parameters.
func place(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host, Path: u.Path}
	return bare.String()
}

// databaseName returns the database that a URL names.
func databaseName(u *url.URL) string { return strings.TrimPrefix(u.Path, "/") }

const (
	connectTimeout = 10 * time.Second
	maxConnections = 8
	maxIdleTime    = 5 * time.Minute
	maxLifetime    = time.Hour
)

// boundedConnector bounds connecting as a whole: the drivers' own time-outs end with the TCP connection, and a server
// that accepts and then says nothing would be waited for.
type boundedConnector struct{ driver.Connector }

func (c boundedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, &connectError{err}
	}
	return conn, nil
}

// server is how to get at a database on a server, and how to create it.
type server struct {
	connector   driver.Connector
	maintenance driver.Connector // to the server, or a database that always exists
	create      string           // the statement that creates the database
	exists      func(error) bool // somebody else was faster to create it
}

// openServer connects, and creates the database where there is none.
func openServer(ctx context.Context, e *engine, s server) (*sql.DB, error) {
	pool := sql.OpenDB(boundedConnector{s.connector})
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	pool.SetConnMaxIdleTime(maxIdleTime)
	pool.SetConnMaxLifetime(maxLifetime)
	err := pool.PingContext(ctx)
	if err != nil && e.fault(err) == missing && !e.asIs {
		err = s.createDatabase(ctx)
		if err == nil {
			err = pool.PingContext(ctx)
		}
	}
	if err != nil {
		_ = pool.Close()
		return nil, err
	}
	return pool, nil
}

func (s server) createDatabase(ctx context.Context) error {
	pool := sql.OpenDB(boundedConnector{s.maintenance})
	defer func() { _ = pool.Close() }()
	_, err := pool.ExecContext(ctx, s.create)
	if err != nil && !s.exists(err) {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}
