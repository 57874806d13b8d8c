package visit_test

import (
	"context"
	"strings"
	"testing"

	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/sshtest"
	"muster/internal/visit"
)

// TestAFurtherPartFails has the second part fail in every way: what the first brought stays, and the visit is a good one.
func TestAFurtherPartFails(t *testing.T) {
	for name, test := range map[string]struct {
		client func(*fake, sshtest.Handler) sshtest.Handler
		change func(*report.Request, *report.Report)
		words  string
	}{
		"the connection is lost": {client: func(f *fake, _ sshtest.Handler) sshtest.Handler {
			return func(context.Context, *sshtest.Session) sshtest.Exit {
				f.Disconnect()
				return sshtest.Exit{}
			}
		}, words: "connection was lost"},
		"the client fails": {client: func(*fake, sshtest.Handler) sshtest.Handler {
			return saying("", "no memory\n", sshtest.Exit{Status: 3})
		}, words: "no memory"},
		"the report is cut": {client: func(*fake, sshtest.Handler) sshtest.Handler {
			return sending(func(s string) string { return s[:len(s)-20] })
		}, words: "cut"},
		"the seal is wrong":   {client: func(*fake, sshtest.Handler) sshtest.Handler { return saying(framed("x"), "", sshtest.Exit{}) }, words: "seal"},
		"it is no report":     {client: func(*fake, sshtest.Handler) sshtest.Handler { return sealing([]byte("<x/>"), asAsked) }, words: "report"},
		"it is another's":     {change: func(_ *report.Request, r *report.Report) { r.Host = "other" }, words: "another's"},
		"nobody asked for it": {change: func(_ *report.Request, r *report.Report) { r.Logs[0].Channel = "Security" }, words: "nobody asked"},
		"it begins anew":      {change: func(_ *report.Request, r *report.Report) { r.Logs[0].Records[0].ID = 1 }, words: "goes back"},
		"it has too many":     {change: func(q *report.Request, r *report.Report) { r.Logs[0].Records = tooMany(r.Logs[0].Next.Record) }, words: "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			log, s := &hostLog{length: 3000}, newShelf(authLog)
			f, host := reading(t, log, s)
			good := log.client()
			if test.client != nil {
				bad := test.client(f, good)
				f.becomes(func(ctx context.Context, session *sshtest.Session) sshtest.Exit {
					if len(log.requests()) == 0 {
						return good(ctx, session)
					}
					return bad(ctx, session)
				})
			}
			log.change = func(part int, q *report.Request, r *report.Report) {
				if part > 0 && test.change != nil {
					test.change(q, r)
				}
			}
			v := f.visitor().Visit(t.Context(), host, sweep)
			wantLogs(t, v, authLog, 1000, 0, 0)
			s.wantRecords(t, authLog, 1000)
			if got := complaints(v.Report); !strings.Contains(got, test.words) || !strings.Contains(got, "the next visit goes on") {
				t.Errorf("it says %q, and not %q", got, test.words)
			}
			if !v.Logs[0].More || v.Logs[0].Trouble != nil {
				t.Errorf("it says of the logs %+v", v.Logs)
			}
			f.wantNothingLeft(t)
		})
	}
}

// tooMany returns more records than a report may have, up to an id.
func tooMany(last int64) []report.Record {
	records := make([]report.Record, 0, report.MaxRecords)
	for id := last - visit.FirstRecords; id <= last; id++ {
		records = append(records, report.Record{ID: id, Time: sweep, Raw: strings.Repeat("x", 3400)})
	}
	return records
}

// TestAHostLiesAboutItsLogs in the first part, which is not to be believed in anything then.
func TestAHostLiesAboutItsLogs(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*report.Request, *report.Report)
		kind   failure.Kind
	}{
		"nobody asked for it": {func(_ *report.Request, r *report.Report) { r.Logs[0].Channel = "Security" }, failure.ReportInvalid},
		"another epoch":       {func(_ *report.Request, r *report.Report) { r.Logs[0].Epoch, r.Logs[0].Next.Epoch = 99, 99 }, failure.ReportInvalid},
		"too many": {func(q *report.Request, r *report.Report) {
			for id := int64(visit.FirstRecords); id <= 2*visit.FirstRecords; id++ {
				r.Logs[0].Records = append(r.Logs[0].Records, report.Record{ID: id + 1, Time: sweep})
			}
			r.Logs[0].Next.Record = 1 << 20
		}, failure.ReportTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(authLog)
			f, host := reading(t, &hostLog{length: 1000, change: func(_ int, q *report.Request, r *report.Report) { test.change(q, r) }}, s)
			wantFailure(t, f.visitor().Visit(t.Context(), host, sweep), failure.Decode, test.kind)
			if len(s.parts) != 0 {
				t.Error("what it brought is kept")
			}
			f.wantNothingLeft(t)
		})
	}
}
