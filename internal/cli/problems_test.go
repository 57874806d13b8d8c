package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"muster/internal/config"
	"muster/internal/controller"
	"muster/internal/failure"
	"muster/internal/visit"
)

// failing is the visit of a host that failed.
func failing(host string, stage failure.Stage, kind failure.Kind, text, advice string) *visit.Visit {
	return &visit.Visit{Host: host, Failure: &failure.Error{Host: host, Stage: stage, Kind: kind, Advice: advice, Err: errors.New(text)}}
}

func behind(jump string, v *visit.Visit) *visit.Visit {
	v.Failure.Jump = jump
	return v
}

func TestProblemsWithOneCauseAreOne(t *testing.T) {
	hosts := []config.Host{
		{Name: "web1", Address: "10.0.0.1", Port: 22}, {Name: "web2", Address: "10.0.0.2", Port: 22},
		{Name: "db", Address: "db.example.org", Port: 2222}, {Name: "w", Address: "w.example.org", Port: 22},
		{Name: "six", Address: "2001:db8::1", Port: 22},
	}
	fingerprint := func(c string) string { return "SHA256:" + strings.Repeat(c, 43) }
	for name, test := range map[string]struct {
		visits []*visit.Visit
		want   []string // the problems, each with its advice
	}{
		"nothing": {nil, nil},
		"one host keeps its own words": {
			[]*visit.Visit{failing("web1", failure.Dial, failure.Refused, "dial tcp 10.0.0.1:22: connection refused", "look at 10.0.0.1")},
			[]string{"web1: dial: dial tcp 10.0.0.1:22: connection refused|look at 10.0.0.1"},
		},
		"addresses do not make causes": {
			[]*visit.Visit{
				failing("web1", failure.Dial, failure.Refused, "dial tcp 10.0.0.1:22: connection refused", "look at 10.0.0.1"),
				failing("db", failure.Dial, failure.Refused, "dial tcp db.example.org:2222: connection refused", "look at db.example.org"),
				failing("six", failure.Dial, failure.Refused, "dial tcp [2001:db8::1]:22: connection refused", "look at 2001:db8::1"),
			},
			[]string{"web1, db, six: dial: dial tcp …: connection refused|look at …"},
		},
		"our own ports do not": {
			[]*visit.Visit{
				failing("web1", failure.Run, failure.Disconnected, "read tcp 10.9.9.9:50000->10.0.0.1:22: reset", "look"),
				failing("web2", failure.Run, failure.Disconnected, "read tcp 10.9.9.9:50001->10.0.0.2:22: reset", "look"),
			},
			[]string{"web1, web2: run: read tcp … reset|look"},
		},
		"fingerprints do not": {
			[]*visit.Visit{
				failing("web1", failure.Handshake, failure.HostKeyUnknown, "no key for 10.0.0.1:22, which shows "+fingerprint("a"), "scan 10.0.0.1"),
				failing("web2", failure.Handshake, failure.HostKeyUnknown, "no key for 10.0.0.2:22, which shows "+fingerprint("b"), "scan 10.0.0.2"),
			},
			[]string{"web1, web2: handshake: no key for …, which shows SHA256:…|compare their fingerprints with the hosts' own " +
				"(ssh-keygen -lf on each), and record them: muster trust"},
		},
		"a jump host is what those behind it have in common": {
			[]*visit.Visit{
				behind("gate", failing("web1", failure.Dial, failure.JumpFailed, "through gate: nothing at 10.0.0.1:22", "see to gate")),
				behind("gate", failing("web2", failure.Dial, failure.JumpFailed, "through gate: it took too long", "see to gate")),
				behind("door", failing("db", failure.Dial, failure.JumpFailed, "through door: nothing", "see to door")),
			},
			[]string{"web1, web2: dial: through gate: nothing at 10.0.0.1:22|see to gate", "db: dial: through door: nothing|see to door"},
		},
		"a changed key is looked at host by host": {
			[]*visit.Visit{
				failing("web1", failure.Handshake, failure.HostKeyChanged, "another key", "find out why"),
				failing("web2", failure.Handshake, failure.HostKeyChanged, "another key", "find out why"),
			},
			[]string{"web1: handshake: another key|find out why", "web2: handshake: another key|find out why"},
		},
		"stages, kinds and words do": {
			[]*visit.Visit{
				failing("web1", failure.Run, failure.Timeout, "late", "a"), failing("web2", failure.Deploy, failure.Timeout, "late", "b"),
				failing("db", failure.Run, failure.ClientFailed, "late", "c"), failing("six", failure.Run, failure.Timeout, "later", "d"),
			},
			[]string{"web1: run: late|a", "web2: deploy: late|b", "db: run: late|c", "six: run: later|d"},
		},
		"a short name is no part of words": {
			[]*visit.Visit{failing("w", failure.Run, failure.Timeout, "w is slow now", "a"), failing("web1", failure.Run, failure.Timeout, "web1 is slow now", "a")},
			[]string{"w, web1: run: … is slow now|a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range problemsOf(&controller.Checked{Visits: test.visits}, hosts) {
				got = append(got, p.String()+"|"+p.Advice)
			}
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestManyHostsAreCounted(t *testing.T) {
	for n, want := range map[int]string{
		1: "h0: dial: x", 4: "h0, h1, h2, h3: dial: x", 5: "5 hosts (h0, h1, h2 and 2 more): dial: x", 400: "400 hosts (h0, h1, h2 and 397 more): dial: x",
	} {
		p := problem{Stage: "dial", Error: "x"}
		for i := range n {
			p.Hosts = append(p.Hosts, fmt.Sprint("h", i))
		}
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestChooseHosts(t *testing.T) {
	hosts := []config.Host{{Name: "web1", Groups: []string{"all", "web"}}, {Name: "db", Groups: []string{"all"}}, {Name: "web", Groups: nil}}
	for names, want := range map[string]string{"": "web1 db web", "db": "db", "web": "web1 web", "all": "web1 db", "db web1": "web1 db"} {
		chosen, err := chooseHosts(hosts, strings.Fields(names))
		var got []string
		for _, h := range chosen {
			got = append(got, h.Name)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: got %q, %v; want %q", names, got, err, want)
		}
	}
	for name, hint := range map[string]string{"Web2": `did you mean "web`, "dbs": `did you mean "db"?`, "nothing-like-it": "checks all"} {
		_, err := chooseHosts(hosts, []string{name})
		if statusOf(err) != exitUsage || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
