package wintest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// testRun goes the whole way, from a configuration to what is stored: two Windows hosts, by key and by password, with
// the report on standard output and in a file.
func testRun(t *testing.T, w *windows) {
	cmd, powershell := w.newHost(t), w.newHost(t, "powershell")
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("host.pass", password)
	config := write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1">
  <server data="data"/>
  <group name="windows" known-hosts="%s">
    <host name="cmd" address="127.0.0.1" port="%d" user="%s" key="%s"/>
    <host name="powershell" address="127.0.0.1" port="%[2]d" user="%[5]s" password="file:host.pass" transfer="file"/>
  </group>
</muster>
`, w.knownHosts, w.port, cmd.user, w.keyFile, powershell.user))
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
