package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/sshtest"
)

// TestTrustAsks answers the questions of muster trust on a terminal.
func TestTrustAsks(t *testing.T) {
	var hosts, lines strings.Builder
	var servers []*sshtest.Server
	for i := range 4 {
		server, err := sshtest.New(sshtest.Options{Home: t.TempDir(), Password: "unused"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		servers = append(servers, server)
		fmt.Fprintf(&hosts, `<host name="h%d" address="127.0.0.1" port="%d"/>`, i, server.Addr().Port)
	}
	for _, c := range []struct {
		name, answers string
		changed       bool // the host h0 has another key than is known
		want          []int
		status        int
	}{
		{"one by one", "yes\nno\nperhaps\nyes\nno\n", false, []int{0, 2}, 1},
		{"all", "no\nall\n", false, []int{1, 2, 3}, 1},
		{"quit", "yes\nquit\n", false, []int{0}, 1},
		{"nobody answers", "\x04", false, nil, 1},
		{"all is not for changed keys", "all\nyes\nall\n", true, []int{0, 1, 2, 3}, 0},
		{"a changed key stays", "no\nall\n", true, []int{1, 2, 3}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			known := filepath.Join(folder, "known_hosts")
			if c.changed {
				other, err := sshtest.New(sshtest.Options{Home: t.TempDir(), Password: "unused"})
				if err != nil {
					t.Fatal(err)
				}
				defer other.Close()
				old := strings.Fields(other.KnownHostsLine())
				text := fmt.Sprintf("[127.0.0.1]:%d %s %s\n", servers[0].Addr().Port, old[1], old[2])
				if err := os.WriteFile(known, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			file := filepath.Join(folder, "muster.xml")
			content := fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><group user="u" password="p" known-hosts="%s">%s</group></muster>`,
				known, hosts.String())
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			terminal := newTerminal(t, 120)
			if _, err := terminal.master.WriteString(c.answers); err != nil {
				t.Fatal(err)
			}
			args := []string{"trust", "-c", file}
			if c.changed {
				args = append(args, "--replace")
			}
			status := Main(args, Env{Stdin: terminal.File, Stdout: terminal.File, Stderr: terminal.File})
			screen := strings.Join(terminal.Screen(), "\n")
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			got, _ := os.ReadFile(known)
			lines.Reset()
			for _, i := range c.want {
				lines.WriteString(servers[i].KnownHostsLine())
			}
			if text := string(got); c.status == 0 && text != lines.String() || !strings.HasSuffix(text, lines.String()) ||
				strings.Count(text, "\n") > len(c.want)+1 {
				t.Errorf("known_hosts holds\n%s, want\n%s", text, lines.String())
			}
			if c.changed && !strings.Contains(screen, "REPLACE THE KNOWN KEY") {
				t.Errorf("the terminal shows\n%s", screen)
			}
		})
	}
}
