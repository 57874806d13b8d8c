package visit_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/sshtest"
	"muster/internal/visit"
)

// A host knows the password with which it is visited, and repeats it wherever it can say something. It must be nowhere in
// what is kept, shown or logged of the visit.
func TestPasswordIsNotRepeated(t *testing.T) {
	const password = `Pa$$"w\ord`
	for name, test := range map[string]struct {
		client sshtest.Handler
		kind   failure.Kind // empty: a report
	}{
		"in its log": {
			saying("", "you are "+password+"\r\n", sshtest.Exit{Status: 3}), failure.ClientFailed,
		},
		"before a report that does not come": {
			saying("Welcome, "+password+"!\n", "", sshtest.Exit{}), failure.NoReport,
		},
		"at the ends of a long log": {
			saying("", password+strings.Repeat("noise\n", 20_000)+password, sshtest.Exit{Status: 1}), failure.ClientFailed,
		},
		"as the host of a report": {
			reporting(func(_ *report.Request, r *report.Report) { r.Host = password }), failure.ReportReplayed,
		},
		"why a source failed": {
			reporting(func(_ *report.Request, r *report.Report) {
				r.Failures = []report.Failure{{Source: "disk", Reason: "denied to " + password}}
			}), "",
		},
		"in the log of a visit that goes well": {
			func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
				_, _ = io.WriteString(s.Stderr, password)
				return reporting(nil)(ctx, s)
			}, "",
		},
		"in the name of a signal": {
			saying("", "", sshtest.Exit{Signal: password}), failure.ClientCrashed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(o *sshtest.Options) { o.Password = password })
			f.becomes(test.client)
			host := f.host(t)
			host.Password = password
			log, logged := memoryLog()
			v := visit.New(visit.Options{Clients: f.clients, Logger: log}).Visit(t.Context(), host, sweep)
			if v.Failure == nil && test.kind != "" || v.Failure != nil && v.Failure.Kind != test.kind {
				t.Fatalf("the failure is %v, want %s", v.Failure, test.kind)
			}
			said := v.Log + "\n" + logged()
			if v.Failure != nil {
				said += v.Failure.Error() + "\n" + v.Failure.Help()
			} else {
				document, err := json.Marshal(v.Report)
				if err != nil {
					t.Fatal(err)
				}
				said += string(document)
			}
			if strings.Contains(said, "Pa$$") {
				t.Errorf("the password is repeated: %.1000s", said)
			}
			if !strings.Contains(said, "(password)") {
				t.Errorf("what the host said is gone altogether: %.1000s", said)
			}
		})
	}
}

// A word of three letters is in honest texts too: what would be left of them without it says nothing any more.
func TestShortPasswordIsNotLookedFor(t *testing.T) {
	f := newFake(t, func(o *sshtest.Options) { o.Password = "log" })
	f.becomes(saying("", "no space left in /var/log", sshtest.Exit{Status: 1}))
	host := f.host(t)
	host.Password = "log"
	if v := f.visitor().Visit(t.Context(), host, sweep); v.Log != "no space left in /var/log" {
		t.Errorf("the log is %q", v.Log)
	}
}
