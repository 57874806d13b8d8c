package dburl

import (
	"slices"
	"strings"
	"testing"
)

func TestParameters(t *testing.T) {
	for engine, list := range map[string][]Parameter{"mysql": MySQL(), "postgres": Postgres()} {
		var names []string
		for _, p := range list {
			if found, ok := Find(list, p.Name); !ok || found.Name != p.Name {
				t.Errorf("%s: %s is not found", engine, p.Name)
			}
			names = append(names, p.Name)
			if err := p.Check(""); err == nil {
				t.Errorf("%s: %s may be empty", engine, p.Name)
			}
		}
		slices.Sort(names)
		if len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%s: a parameter stands twice: %q", engine, names)
		}
		// Said elsewhere, or dangerous.
		for _, name := range []string{
			"user", "password", "hostaddr", "port", "dbname", "sslpassword", "service", "allowAllFiles", "multiStatements",
			"parseTime", "loc", "sql_mode", "timezone", "TLS", "",
		} {
			if _, ok := Find(list, name); ok {
				t.Errorf("%s: %q is a parameter", engine, name)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		list []Parameter
		name string
		good string
		bad  string
		says string
	}{
		{MySQL(), "tls", "true false skip-verify preferred", "perhaps TRUE custom", "must be true, false, skip-verify or preferred"},
		{MySQL(), "timeout", "5s 100ms 0", "5 soon -1s", "must be a duration"},
		{MySQL(), "compress", "true false 1 0", "yes", "must be true or false"},
		{MySQL(), "maxAllowedPacket", "0 67108864", "64M -1", "must be a whole number"},
		{Postgres(), "sslmode", "disable verify-full", "requird", "verify-ca or verify-full"},
		{Postgres(), "connect_timeout", "3", "3s", "must be a whole number"},
		{Postgres(), "host", "/run/postgresql", "db.example.org 10.0.0.1", "folder of a Unix socket"},
		{Postgres(), "application_name", "anything", "", "must not be empty"},
	} {
		p, _ := Find(c.list, c.name)
		for value := range strings.FieldsSeq(c.good) {
			if err := p.Check(value); err != nil {
				t.Errorf("%s=%s %v", c.name, value, err)
			}
		}
		for value := range strings.FieldsSeq(c.bad) {
			if err := p.Check(value); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s=%s: %v, want %q", c.name, value, err, c.says)
			}
		}
	}
}
