package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"

	"muster/internal/dburl"
)

// newMySQL returns the engine of a database on a MySQL or MariaDB server.
func newMySQL(u *url.URL, password string, log *slog.Logger) (*engine, error) {
	config, err := mysqlConfig(u, password, log)
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	serverOnly := config.Clone()
	serverOnly.DBName = ""
	maintenance, err := mysql.NewConnector(serverOnly)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	e := &engine{
		name:  "mysql",
		place: place(u),
		rows:  1000,
		dialector: func(db *sql.DB) gorm.Dialector {
			return gormmysql.New(gormmysql.Config{Conn: db, SkipInitializeWithVersion: true, DisableWithReturning: true})
		},
		goose: goose.DialectMySQL,
		// The newer spelling, a row alias, is not known to MariaDB.
		incoming: func(column string) string { return "VALUES(" + column + ")" },
		earlier: func(instant string) string {
			return fmt.Sprintf("%s - INTERVAL %d SECOND", instant, int(tardy.Seconds()))
		},
		along: func(table, index string) string {
			if index == "" {
				index = "PRIMARY"
			}
			return table + " FORCE INDEX (" + index + ")"
		},
		like: func(column string) string { return column + " COLLATE utf8mb4_unicode_520_ci LIKE ? ESCAPE '!'" },
		code: mysqlFault,

		ownTables: "information_schema.tables WHERE table_schema = DATABASE() AND table_name",
		space:     mysqlSpace,
	}
	e.locker = func() (goose.ProviderOption, error) { return mysqlLocker(e) }
	e.repair = mysqlRepair
	e.open = func(ctx context.Context) (*sql.DB, error) {
		return openServer(ctx, e, server{
			connector:   connector,
			maintenance: maintenance,
			create: "CREATE DATABASE IF NOT EXISTS " + quoteMySQL(config.DBName) +
				" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
			exists: func(error) bool { return false }, // IF NOT EXISTS
		})
	}
	return e, nil
}

// mysqlConfig makes the driver's configuration of a URL. It sets what the rest relies on: times in UTC, statements with
// their values in them (a third of the CPU less), and errors instead of silently altered values.
func mysqlConfig(u *url.URL, password string, log *slog.Logger) (*mysql.Config, error) {
	query := u.Query()
	base := mysql.NewConfig()
	base.Net, base.Addr, base.DBName = "tcp", u.Host, databaseName(u)
	if u.Port() == "" {
		base.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	if socket := query.Get("socket"); socket != "" {
		base.Net, base.Addr = "unix", socket
	} else if u.Hostname() == "" {
		return nil, fmt.Errorf("%w: it names no host; for a socket say ?socket=/run/mysqld/mysqld.sock", ErrURL)
	}
	authority := query.Get("tls-ca")
	query.Del("socket")
	query.Del("tls-ca")
	if err := checkParameters(dburl.MySQL(), query); err != nil {
		return nil, err
	}
	config, err := mysql.ParseDSN(base.FormatDSN() + "?" + query.Encode())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	if authority != "" {
		if config.TLS, err = trust(authority, u.Hostname()); err != nil {
			return nil, err
		}
	}
	config.User, config.Passwd = u.User.Username(), password
	config.Loc, config.ParseTime, config.InterpolateParams = time.UTC, true, true
	config.Params = map[string]string{"sql_mode": "'TRADITIONAL'", "time_zone": "'+00:00'"}
	config.Logger = driverLog{log}
	if config.Timeout <= 0 || config.Timeout > connectTimeout {
		config.Timeout = connectTimeout
	}
	return config, nil
}

// trust returns a TLS configuration that accepts servers of the authorities in a PEM file.
func trust(file, host string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: tls-ca: %w", ErrURL, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: tls-ca: there is no certificate in %s", ErrURL, file)
	}
	return &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}, nil
}

func quoteMySQL(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// driverLog takes what the driver would print to standard error.
type driverLog struct{ log *slog.Logger }

func (d driverLog) Print(v ...any) { d.log.Debug("database driver", "message", fmt.Sprint(v...)) }

// mysqlLocker uses a row in a table, which unlike GET_LOCK works in a Galera cluster too. A server that dies while it
// migrates delays the next by the lease.
func mysqlLocker(e *engine) (goose.ProviderOption, error) {
	l, err := lock.NewMySQLTableLocker(
		lock.WithTableLeaseDuration(15*time.Second),
		lock.WithTableHeartbeatInterval(3*time.Second),
		lock.WithTableLockTimeout(250*time.Millisecond, 1200),
		lock.WithTableUnlockTimeout(250*time.Millisecond, 40),
		lock.WithTableLogger(slog.New(slog.DiscardHandler)),
		lock.WithTableRetryPolicy(func(err error) bool {
			f := e.fault(err)
			return f == refused || f == contended // that somebody else holds the lock is no error of the server's
		}),
	)
	if err != nil {
		return nil, err
	}
	return goose.WithLocker(l), nil
}

// mysqlRepair completes a table of versions that was created but is empty: whoever created it died, or has not yet come to
// its first row. The migration library gives up on such a table, and does not mind the row twice.
func mysqlRepair(ctx context.Context, pool *sql.DB) error {
	_, err := pool.ExecContext(ctx, "INSERT INTO goose_db_version (version_id, is_applied)"+
		" SELECT 0, TRUE FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM goose_db_version)")
	var e *mysql.MySQLError
	if errors.As(err, &e) && e.Number == 1146 { // no such table: a new database
		return nil
	}
	return err
}

// mysqlFault knows the error numbers of MySQL and MariaDB.
func mysqlFault(err error) (fault, bool) {
	if errors.Is(err, mysql.ErrInvalidConn) {
		return lost, true
	}
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return 0, false
	}
	switch e.Number {
	case 1205, 1213, 1020, 3572: // lock wait timeout, deadlock, record has changed, NOWAIT
		return contended, true
	case 1053, 1152, 1927, 3169, 4031: // shutdown in progress, aborted, killed, killed, idle for too long
		return lost, true
	case 1044, 1045, 1142, 1143, 1227, 1370, 1410, 1698: // access denied, in its variants
		return denied, true
	case 1049: // unknown database
		return missing, true
	case 1021, 1026, 1030, 1037, 1038, 1040, 1041, 1047, 1114, 1129, 1130, 1135, 1203, 1226, 1290, 1792, 1836:
		// disk full, write error, storage engine, memory, sort memory, too many connections, memory, cluster not ready, table
		// full, host blocked, host not allowed, no thread, too many connections of the user, limits of the user, read-only
		return unusable, true
	}
	return refused, true
}
