package controller

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/badday"
	"muster/internal/config"
	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/queue"
	"muster/internal/report"
	"muster/internal/visit"
)

// checkable is a fleet of good hosts and one bad one, with the configuration of a rig.
func checkable(t *testing.T) (*rig, CheckOptions) {
	t.Helper()
	r := newRig(t)
	folder := shortFolder(t)
	fleet, err := badday.Start(folder, []badday.Day{{Name: "is away", Absent: true}}, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fleet.Close() })
	file := filepath.Join(folder, "muster.xml")
	document := `<muster xmlns="urn:muster:config:1">` + fleet.Configuration("1m", func(*badday.Host) bool { return true }) + `</muster>`
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	r.config.Hosts = c.Hosts
	return r, CheckOptions{
		Config: r.config, Hosts: c.Hosts,
		Clients: deploytest.Set(t, "1.0", map[deploy.Platform]string{deploytest.Native(): "#!/bin/sh\necho 1.0\n"}),
	}
}

// visited returns the hosts of visits in their order, those that failed with their kind.
func visited(visits []*visit.Visit) string {
	var all []string
	for _, v := range visits {
		name := v.Host
		if v.Failure != nil {
			name += ":" + string(v.Failure.Kind)
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

func TestCheckKeepsNothing(t *testing.T) {
	r, o := checkable(t)
	seen := new(course)
	o.Observer = seen
	c := Check(t.Context(), o)
	if got, want := visited(c.Visits), "good-2 is-away:refused good-1 good-0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(seen.visits) != 4 || c.Cancelled || c.Took <= 0 {
		t.Errorf("%d visits were told; %+v", len(seen.visits), c)
	}
	for i, name := range []string{"queue", "database", "mail"} {
		if p := c.Parts[i]; p.Name != name || p.Err != nil || p.Detail == "" {
			t.Errorf("got %+v, want that %s is well", p, name)
		}
	}
	if _, err := os.Stat(r.config.Server.Data); err == nil {
		t.Error("the data directory was made")
	}
	if _, err := os.Stat(filepath.Dir(strings.TrimPrefix(r.config.Database.URL, "sqlite:"))); err == nil {
		t.Error("the database's folder was made")
	}
	if mails := r.mails(0); len(mails) > 0 {
		t.Errorf("mails: %q", mails)
	}

	o.HostsOnly, o.Hosts = true, o.Hosts[:1]
	if c := Check(t.Context(), o); len(c.Parts) != 0 || visited(c.Visits) != "good-2" {
		t.Errorf("one host: %+v", c)
	}
}

// A check beside a server at work takes no lock, puts nothing into its queue and no visit into its database.
func TestCheckBesideAServer(t *testing.T) {
	r, o := checkable(t)
	server, stop := r.serve()
	defer stop()
	if err := server.behind.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := server.behind.(*pipeline)
	for p.queue.State().Bytes > 0 { // what is done is deleted once a second
		if err := p.queue.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before, rows := p.queue.State(), r.query("SELECT count(*) FROM visits")
	c := Check(t.Context(), o)
	if got, want := visited(c.Visits), "good-2 is-away:refused good-1 good-0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if p := c.Parts[0]; p.Err != nil || !strings.Contains(p.Detail, "a server runs since") {
		t.Errorf("got %+v, want that a server runs", p)
	}
	if p := c.Parts[1]; p.Err != nil || !strings.Contains(p.Detail, "version") {
		t.Errorf("got %+v, want the database's version", p)
	}
	if after := p.queue.State(); after.Bytes != before.Bytes || after.Refused != before.Refused {
		t.Errorf("the queue changed: %+v, %+v", before, after)
	}
	if now := r.query("SELECT count(*) FROM visits"); now != rows {
		t.Errorf("%d visits are stored, %d were before", now, rows)
	}
	if n := r.query("SELECT count(*) FROM hosts WHERE name = '(probe)'"); n != 0 {
		t.Error("the probe is in the database")
	}
}

func TestCheckSaysWhatIsMissing(t *testing.T) {
	for name, test := range map[string]struct {
		part   int
		breaks func(t *testing.T, r *rig)
		cause  error // nil: any
		says   string
		advice string
	}{
		"a data directory that is a file": {0, func(t *testing.T, r *rig) {
			if err := os.WriteFile(r.config.Server.Data, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, nil, "not a folder", "<server data"},
		"a key that is gone": {0, func(t *testing.T, r *rig) {
			r.mustRun()
			if err := os.Remove(filepath.Join(r.config.Server.Data, "queue.key")); err != nil {
				t.Fatal(err)
			}
		}, queue.ErrKey, "queue.key is gone", "backup"},
		"a cluster that is away": {0, func(_ *testing.T, r *rig) {
			r.config.Queue.URLs = []string{"nats://127.0.0.1:1"}
		}, queue.ErrUnavailable, "127.0.0.1:1", "<queue>"},
		"a database's folder that is a file": {1, func(_ *testing.T, r *rig) { r.blockDatabase() }, nil, "database", "database"},
		"a database server that is away": {1, func(_ *testing.T, r *rig) {
			r.config.Database.URL = "postgres://muster@127.0.0.1:1/muster"
		}, nil, "127.0.0.1:1", "wait in the queue"},
		"a database that is none":    {1, func(_ *testing.T, r *rig) { r.config.Database.URL = "oracle:x" }, nil, "not a database URL", "correct url"},
		"a mail server that is away": {2, func(_ *testing.T, r *rig) { _ = r.post.Close() }, nil, "connect", "<mail>"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			test.breaks(t, r)
			c := Check(t.Context(), CheckOptions{Config: r.config})
			for i, p := range c.Parts {
				switch {
				case i != test.part && p.Err != nil:
					t.Errorf("%s: %v", p.Name, p.Err)
				case i == test.part && (p.Err == nil || test.cause != nil && !errors.Is(p.Err, test.cause)):
					t.Errorf("got %+v", p)
				case i == test.part && (!strings.Contains(p.Err.Error(), test.says) || !strings.Contains(p.Advice, test.advice)):
					t.Errorf("got %v (%s), want %q (%q)", p.Err, p.Advice, test.says, test.advice)
				}
			}
		})
	}
}

// A check that is interrupted says so, and what it has found until then.
func TestCheckThatIsInterrupted(t *testing.T) {
	_, o := checkable(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := Check(ctx, o)
	if !c.Cancelled || len(c.Visits) != 0 {
		t.Errorf("got %+v", c)
	}
	o.Hosts[0].KnownHosts = []string{t.TempDir()}
	c = Check(t.Context(), o)
	if len(c.Visits) != 4 || c.Visits[0].Failure == nil || c.Visits[0].Failure.Kind != failure.Configuration {
		t.Errorf("a file that can't be used: got %q", visited(c.Visits))
	}
}

// TestCheckLooksAtLogs of hosts whose client reads none.
func TestCheckLooksAtLogs(t *testing.T) {
	r, o := checkable(t)
	for i := range o.Hosts {
		o.Hosts[i].Logs = []config.Logs{{Channel: "journal", Since: report.SinceAll}}
	}
	c := Check(t.Context(), o)
	looked := 0
	for _, v := range c.Visits {
		if v.Failure == nil && len(v.Logs) == 1 && v.Logs[0].Channel == "journal" && v.Logs[0].Trouble != nil {
			looked++
		}
	}
	if looked != 3 {
		t.Errorf("the logs of %d hosts were looked at, want 3", looked)
	}
	if _, err := os.Stat(r.config.Server.Data); err == nil {
		t.Error("something is kept of them")
	}
}
