package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/report"
)

// A key that may run an installed client and nothing else is not to read any file of the host with it, as root perhaps.
func TestAnInstalledClientReadsNoFileThatIsNotListed(t *testing.T) {
	folder := t.TempDir()
	secret := filepath.Join(folder, "shadow")
	if err := os.WriteFile(secret, []byte("root:$6$hash\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	list := "# what Muster may read\n\n" + "relative\n" + folder + "\r\n"
	for name, test := range map[string]struct {
		program string
		list    *string
		want    string // in the trouble; empty: it is read
	}{
		"uploaded":          {installedName, nil, ""},
		"installed":         {"muster-client", nil, "muster-client.logs"},
		"listed":            {"muster-client", &list, ""},
		"another is listed": {"muster-client", ptr("/var/log\n"), "muster-client.logs"},
		"the list is empty": {"muster-client", new(string), "muster-client.logs"},
		"too long a list":   {"muster-client", ptr(strings.Repeat(folder+"\n", maxList/len(folder))), "more than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			path := named(t, test.program)
			if test.list != nil {
				if err := os.WriteFile(path+listEnding, []byte(*test.list), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			request := newRequest()
			request.Sources = []string{"uptime"}
			request.Logs = []report.LogRequest{{Channel: report.FileChannel + secret, Raw: true, Since: report.SinceAll, Fresh: 1}}
			p := start(t, encode(t, request), func(c *exec.Cmd) { c.Path = path })
			p.expect(t, 0)
			l := open(t, request, p.stdout.Bytes(), nil).Logs[0]
			if test.want == "" {
				if len(l.Records) != 1 {
					t.Errorf("got %+v", l)
				}
				return
			}
			if len(l.Records) > 0 || l.Trouble == nil || l.Trouble.Kind != report.TroubleDenied || !strings.Contains(l.Trouble.Text, test.want) {
				t.Errorf("got %d records, %+v", len(l.Records), l.Trouble)
			}
		})
	}
}

func ptr(text string) *string { return &text }
