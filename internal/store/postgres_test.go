package store

import (
	"errors"
	"strings"
	"testing"

	"muster/internal/testserver"
)

func TestPostgreSQLRights(t *testing.T) {
	t.Parallel()
	x := &target{server: testserver.PostgreSQL(t)}
	as := x.rightsOf(t, "CREATE USER least PASSWORD 'pw'", "CREATE DATABASE least_own OWNER least",
		"CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0 OWNER least")
	if _, err := Open(t.Context(), as("ascii")); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "UTF8") {
		t.Errorf("a database that can't hold every text: %v, want ErrUnavailable with what to do", err)
	}

	// Names are quoted.
	o := x.fresh(t)
	o.URL = x.server.Named(`Mus"ter%20;-- x`)
	strange := openStore(t, o)
	if got := queryOne[string](t, strange, "SELECT current_database()"); got != `Mus"ter ;-- x` {
		t.Errorf("the database is called %q", got)
	}
}
