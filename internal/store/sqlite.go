package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// newSQLite returns the engine of a database in a file: path is what follows "sqlite:".
func newSQLite(path string) (*engine, error) {
	if strings.HasPrefix(path, "///") {
		path = path[2:]
	}
	if path == "" || strings.HasPrefix(path, ":") || strings.ContainsRune(path, 0) {
		return nil, fmt.Errorf("%w: the form is sqlite:PATH, with the path of a file", ErrURL)
	}
	e := &engine{
		name:      "sqlite",
		place:     "sqlite:" + path,
		oneWriter: true,
		rows:      1000,
		dialector: func(db *sql.DB) gorm.Dialector { return gormsqlite.New(gormsqlite.Config{Conn: db}) },
		goose:     goose.DialectSQLite3,
		incoming:  func(column string) string { return "excluded." + column },
		// Instants are texts that compare like their times, to the second with and without a fraction.
		earlier: func(instant string) string {
			return fmt.Sprintf("datetime(%s, '-%d seconds')", instant, int(tardy.Seconds()))
		},
		along: func(table, index string) string {
			if index == "" {
				return table
			}
			return table + " INDEXED BY " + index
		},
		like:      func(column string) string { return column + " LIKE ? ESCAPE '!'" }, // which ignores the case of ASCII letters
		code:      sqliteFault,
		ownTables: "sqlite_schema WHERE type = 'table' AND name",
		space:     sqliteSpace,
		check:     sqliteCheck,
		copy:      sqliteCopy,
	}
	e.open = func(ctx context.Context) (*sql.DB, error) { return openSQLite(ctx, e, path) }
	return e, nil
}

func openSQLite(ctx context.Context, e *engine, path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the path: %w", err)
	}
	if e.asIs {
		_, err = os.Stat(path)
	} else {
		err = createPrivate(path)
	}
	if err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(sqliteName(path))
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(boundedConnector{connector})
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	// Switching to the write-ahead log does not wait its turn by itself.
	if err := e.retry(ctx, func() error { return pool.PingContext(ctx) }); err != nil {
		_ = pool.Close()
		return nil, err
	}
	return pool, nil
}

// createPrivate creates the file, and the folders above it, for this user alone. A file that exists keeps its mode. SQLite
// gives its log and index files the mode of the database.
func createPrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create the folder of the database: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the file of the database: %w", err)
	}
	return file.Close()
}

// sqliteName returns the file's URI with how it is to be opened. FULL makes a commit wait for the disk: NORMAL would lose
// the last transactions at a power cut. Transactions begin IMMEDIATE, so that they wait for others at their beginning and
// never fail in the middle because somebody else wrote.
func sqliteName(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"_busy_timeout": {"10000"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_txlock":       {"immediate"},
		"_time_format":  {"sqlite"},
		"_timezone":     {"UTC"},
		"_error_rc":     {"true"},
	}.Encode()}
	return name.String()
}

// sqliteFault knows the result codes of https://www.sqlite.org/rescode.html.
func sqliteFault(err error) (fault, bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	switch e.Code() & 0xff { // the rest says more exactly what happened
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return contended, true
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOMEM:
		return unusable, true
	case sqlite3.SQLITE_INTERRUPT:
		return late, true
	}
	return refused, true
}
