package store

import (
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

func TestURLsThatAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "muster.db", "/var/lib/muster.db", "oracle://u@h/d", "sqlite:", "sqlite::memory:", "sqlite:a\x00b",
		"mysql://u@h", "mysql://u@h/", "mysql://u@/d", "mysql://u:s3cr3t@h/d", "mysql://u@h:x/d", "mysql://u:s3cr3t@h:x%zz/d",
		"mysql://u@h/d?tsl=true", "mysql://u@h/d?sql_mode=''", "mysql://u@h/d?allowAllFiles=true", "mysql://u@h/d?parseTime=false",
		"mysql://u@h/d?multiStatements=true", "mysql://u@h/d?tls=perhaps", "mysql://u@h/d?timeout=soon", "mysql://u@h/d?a=%zz",
		"mysql://u@h/d?tls-ca=/does/not/exist", "mysql:u@h/d",
		"postgres://u@h", "postgres://u:s3cr3t@h/d", "postgres://u@h/d?password=s3cr3t", "postgres://u@h/d?sslpassword=s3cr3t",
		"postgres://u@h/d?sslmode=perhaps", "postgresql://u@h:99999999/d",
	} {
		_, err := newEngine(Options{URL: text, Password: "other-s3cr3t"}, slog.New(slog.DiscardHandler))
		if !errors.Is(err, ErrURL) {
			t.Errorf("%q: %v, want ErrURL", text, err)
			continue
		}
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: the error quotes the password: %v", text, err)
		}
	}
}

func TestPlacesOfURLs(t *testing.T) {
	for text, want := range map[string][2]string{
		"sqlite:/var/lib/muster/muster.db":                 {"sqlite", "sqlite:/var/lib/muster/muster.db"},
		"sqlite:///var/lib/muster.db":                      {"sqlite", "sqlite:/var/lib/muster.db"},
		"sqlite:data/muster.db":                            {"sqlite", "sqlite:data/muster.db"},
		"mysql://muster@db.example.org/muster?tls=true":    {"mysql", "mysql://muster@db.example.org/muster"},
		"mariadb://muster@[::1]:3307/muster":               {"mysql", "mariadb://muster@[::1]:3307/muster"},
		"mysql://muster@/muster?socket=/run/mysqld.sock":   {"mysql", "mysql://muster@/muster"},
		"postgres://muster@db:5433/muster?sslmode=disable": {"postgres", "postgres://muster@db:5433/muster"},
		"postgresql:///muster?host=/run/postgresql":        {"postgres", "postgresql:///muster"},
	} {
		e, err := newEngine(Options{URL: text, Password: "s3cr3t"}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if e.name != want[0] || e.place != want[1] {
			t.Errorf("%s: engine %s at %s, want %s at %s", text, e.name, e.place, want[0], want[1])
		}
	}
}

func mustMySQL(t *testing.T, text, password string) *mysql.Config {
	t.Helper()
	u, err := parseURL(text)
	if err != nil {
		t.Fatal(err)
	}
	config, err := mysqlConfig(u, password, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestMySQLParameters(t *testing.T) {
	c := mustMySQL(t, "mysql://us%40er@db.example.org/na%2Fme?tls=true&timeout=3s&compress=true", "p@ss/word")
	if c.User != "us@er" || c.Passwd != "p@ss/word" || c.Addr != "db.example.org:3306" || c.DBName != "na/me" {
		t.Errorf("it would connect as %q to %q, database %q", c.User, c.Addr, c.DBName)
	}
	if c.TLS == nil || c.TLS.ServerName != "db.example.org" || c.TLS.InsecureSkipVerify {
		t.Errorf("TLS is %+v, want the server's name verified", c.TLS)
	}
	if c.Timeout != 3*time.Second || !c.ParseTime || !c.InterpolateParams || c.MultiStatements || c.Loc != time.UTC {
		t.Errorf("the configuration is %+v", c)
	}
	if c := mustMySQL(t, "mysql://u@h/d?timeout=5m", ""); c.Timeout != connectTimeout {
		t.Errorf("a patience of 5m became %v, want %v", c.Timeout, connectTimeout)
	}
	if c := mustMySQL(t, "mysql://u@[::1]/d", ""); c.Addr != "[::1]:3306" {
		t.Errorf("the address is %q", c.Addr)
	}
	if c := mustMySQL(t, "mysql://u@/d?socket=/run/my.sock", ""); c.Net != "unix" || c.Addr != "/run/my.sock" {
		t.Errorf("a socket became %s %s", c.Net, c.Addr)
	}
}

func TestPostgresParameters(t *testing.T) {
	parse := func(text string) *pgx.ConnConfig {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		config, err := postgresConfig(u, "p@ss/word")
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	c := parse("postgres://us%40er@db.example.org/na%2Fme?sslmode=verify-full&connect_timeout=3")
	if c.User != "us@er" || c.Password != "p@ss/word" || c.Host != "db.example.org" || c.Port != 5432 || c.Database != "na/me" {
		t.Errorf("it would connect as %q to %q port %d, database %q", c.User, c.Host, c.Port, c.Database)
	}
	if c.TLSConfig == nil || c.TLSConfig.ServerName != "db.example.org" || c.TLSConfig.InsecureSkipVerify || len(c.Fallbacks) > 0 {
		t.Errorf("TLS is %+v, want the server's name verified and nothing else tried", c.TLSConfig)
	}
	if c.ConnectTimeout != 3*time.Second {
		t.Errorf("the patience is %v, want 3s", c.ConnectTimeout)
	}
	if c := parse("postgres://u@h/d?connect_timeout=300"); c.ConnectTimeout != connectTimeout {
		t.Errorf("a patience of 5m became %v, want %v", c.ConnectTimeout, connectTimeout)
	}
}

func TestQuotedNames(t *testing.T) {
	if got := quoteMySQL("a`b"); got != "`a``b`" {
		t.Errorf("quoted: %s", got)
	}
}
