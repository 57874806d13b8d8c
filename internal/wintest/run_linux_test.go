package wintest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/cli"
)

// muster runs the server's command line as a person does, in this process.
func muster(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	status = cli.Main(args, cli.Env{Stdout: &out, Stderr: &log, Version: "0.0.0-test"})
	return status, out.String(), log.String()
}

// example returns the configuration in docs/windows.md, with the test's hosts in place of those in it.
func example(t *testing.T, w *windows, cmd, powershell *host) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/windows.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```xml\n")
	configuration, _, _ := strings.Cut(rest, "```")
	for from, to := range map[string]string{
		`<group name="windows" user="muster">`: fmt.Sprintf(`<server data="data"/><group name="windows" port="%d" known-hosts="%s">`,
			w.port, w.knownHosts),
		`address="10.0.0.31"`:       fmt.Sprintf(`address="127.0.0.1" user="%s"`, cmd.user),
		`address="10.0.0.32"`:       fmt.Sprintf(`address="127.0.0.1" user="%s"`, powershell.user),
		`key="~/.ssh/id_ed25519"`:   fmt.Sprintf(`key="%s"`, w.keyFile),
		`password="file:win2.pass"`: `password="file:win2.pass"`,
	} {
		if !strings.Contains(configuration, from) {
			t.Fatalf("docs/windows.md has no %s in its example", from)
		}
		configuration = strings.ReplaceAll(configuration, from, to)
	}
	return configuration
}

// testRun goes the whole way, from a configuration to what is stored: two Windows hosts, by key and by password, with
// the report on standard output and in a file.
func testRun(t *testing.T, w *windows) {
	cmd, powershell := w.newHost(t), w.newHost(t, "powershell")
	folder := t.TempDir()
	config := filepath.Join(folder, "muster.xml")
	for path, content := range map[string]string{
		config:                             example(t, w, cmd, powershell),
		filepath.Join(folder, "win2.pass"): password,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for sweep := range 2 {
		status, stdout, stderr := muster(t, "run", "--json", "-c", config)
		var result struct{ Hosts, Reported int }
		if err := json.Unmarshal([]byte(stdout), &result); err != nil || status != 0 || result.Reported != 2 {
			t.Fatalf("sweep %d: exit status %d, %v\n%s\n%s", sweep, status, err, stdout, stderr)
		}
	}
	status, stdout, stderr := muster(t, "status", "--json", "-c", config)
	var stored struct {
		Hosts []struct {
			Host, OS string
			Latest   map[string]float64
		}
	}
	if err := json.Unmarshal([]byte(stdout), &stored); err != nil || status != 0 || len(stored.Hosts) != 2 {
		t.Fatalf("exit status %d, %v\n%s\n%s", status, err, stdout, stderr)
	}
	for _, host := range stored.Hosts {
		for _, name := range []string{"cpu.usage", "memory.usage", "uptime"} {
			if host.Latest[name] <= 0 {
				t.Errorf("%s: %s is %v", host.Host, name, host.Latest[name])
			}
		}
	}
	cmd.wantTheClientAlone(t, cmd.place())
	powershell.wantTheClientAlone(t, powershell.place())
}
