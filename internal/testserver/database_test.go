package testserver

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
)

// TestDatabases: they take clients, are gone while stopped, come back at the same address, and leave nothing behind.
func TestDatabases(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *Database{"MariaDB": MariaDB, "PostgreSQL": PostgreSQL} {
		var d *Database
		t.Run(name, func(t *testing.T) {
			d = start(t)
			if strings.Contains(d.URL, d.Password) || !strings.HasSuffix(d.URL, d.Address()+"/muster") {
				t.Errorf("the URL is %q", d.URL)
			}
			for range 2 {
				if err := d.probe(); err != nil {
					t.Error(err)
				}
				d.Stop(t)
				if conn, err := net.Dial("tcp", d.Address()); err == nil {
					_ = conn.Close()
					t.Error("it still takes clients")
				}
				d.Start(t)
			}
		})
		if d == nil { // the program is missing
			continue
		}
		if err := d.probe(); err == nil {
			t.Errorf("%s outlives its test", name)
		}
		if _, err := os.Stat(d.Folder()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s leaves its folder behind: %v", name, err)
		}
	}
}
