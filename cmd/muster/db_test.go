package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestDBBesideServe runs every command of muster db while a server sweeps every second.
func TestDBBesideServe(t *testing.T) {
	onEngines(t, func(t *testing.T, database string) {
		f := newFleet(t, database)
		f.configureServe(fmt.Sprintf(`<host name="one" address="%s" port="%d"/>`, f.sshd.Address, f.sshd.Port))
		s := f.serve(t)
		s.waitFor(t, "reports stored")
		for _, command := range []string{"status", "migrate", "verify", "prune --keep 1d"} {
			f.want(0, append([]string{"db"}, strings.Fields(command)...)...)
			s.waitFor(t, `msg="sweep ended"`)
		}
		if database == "" {
			f.want(0, "db", "backup", "copy.db")
			f.write("copy.xml", `<muster xmlns="urn:muster:config:1"><database url="sqlite:copy.db"/></muster>`)
			f.want(0, "db", "verify", "-c", "copy.xml")
		} else if r := f.want(2, "db", "backup", "copy.db"); !strings.Contains(r.stderr, "dump") {
			t.Errorf("no advice: %s", r.stderr)
		}
		s.waitFor(t, `msg="sweep ended"`)
		if status := s.stop(t); status != 0 {
			t.Errorf("status %d after SIGTERM, want 0", status)
		}
		for line := range s.lines {
			if strings.Contains(line, "lost") || strings.Contains(line, "not available") {
				t.Errorf("the server was disturbed: %s", line)
			}
		}
		r := f.want(0, "db", "status", "--json")
		usage := decode[struct {
			Tables []struct {
				Table string
				Rows  int
			}
		}](t, r.stdout)
		for _, table := range usage.Tables {
			if (table.Table == "sweeps" || table.Table == "visits") && table.Rows < 6 {
				t.Errorf("%d rows of %s after six sweeps", table.Rows, table.Table)
			}
		}
	})
}
