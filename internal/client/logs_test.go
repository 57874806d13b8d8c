package client_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/client"
	"muster/internal/client/logs"
	"muster/internal/client/stats"
	"muster/internal/report"
)

// endless is a log of which there is always more; each record's raw form is an event of so many bytes.
func endless(size int) logs.Source {
	raw := "<Event>" + strings.Repeat("<Data>]]>\r\n</Data>", size/20) + "</Event>"
	return logs.Source{Takes: func(string) bool { return true }, Read: func(ctx context.Context, q logs.Query) report.Logs {
		answer := report.Logs{Epoch: q.Fresh, Begun: "x", Why: "first reading", More: true, Next: report.Cursor{Epoch: q.Fresh}}
		if q.Cursor.Epoch > 0 {
			answer = report.Logs{Epoch: q.Cursor.Epoch, Next: q.Cursor, More: true}
		}
		batch := logs.NewBatch(&q)
		for batch.Add(report.Record{ID: answer.Next.Record + 1, Raw: raw}) {
			answer.Next.Record++
		}
		answer.Records = batch.Records()
		return answer
	}}
}

func TestLogsStandBesideStatistics(t *testing.T) {
	p := &pass{request: newRequest(), sources: []stats.Source{gives("load", load(1))}, logs: []logs.Source{endless(1000)}}
	p.request.Logs = []report.LogRequest{{Channel: "Security", Raw: true, Fresh: 1}}
	p.request.Records = 7
	r := p.run(t)
	if len(r.Statistics) != 1 || len(r.Failures) > 0 || len(r.Logs) != 1 || len(r.Logs[0].Records) != 7 {
		t.Errorf("got %d statistics, %d records and %s", len(r.Statistics), len(r.Logs[0].Records), failuresOf(r))
	}
	if err := p.request.CheckLogs(r.Logs); err != nil {
		t.Error(err)
	}
	if log := p.log.String(); !strings.Contains(log, "records=7") {
		t.Errorf("the log is %q", log)
	}
}

func TestAFurtherPartBringsLogsAlone(t *testing.T) {
	p := &pass{request: newRequest(), sources: []stats.Source{fails("load", errors.New("was read"))}, logs: []logs.Source{endless(1000)}}
	p.request.Part = 1
	p.request.Logs = []report.LogRequest{{Channel: "Security", Raw: true, Fresh: 2, Cursor: report.Cursor{Epoch: 1, Record: 7}}}
	began := time.Now().Add(-time.Second)
	r := p.run(t)
	if len(r.Statistics) > 0 || len(r.Failures) > 0 || len(r.Logs[0].Records) < 1000 || r.Logs[0].Records[0].ID != 8 {
		t.Errorf("got %d statistics and %s, and %d records", len(r.Statistics), failuresOf(r), len(r.Logs[0].Records))
	}
	if r.Time.Before(began) || r.Time.After(time.Now()) {
		t.Errorf("the report is of %v", r.Time)
	}
}

func TestTroubleIsAFailureToo(t *testing.T) {
	p := &pass{request: newRequest()}
	p.request.Logs = []report.LogRequest{{Channel: "Security", Fresh: 1}}
	r := p.run(t)
	if got := failuresOf(r); !strings.HasPrefix(got, "logs: Security: ") || r.Logs[0].Trouble.Kind != report.TroubleUnsupported {
		t.Errorf("got %q and %+v", got, r.Logs[0].Trouble)
	}
}

// As many records as a report may have beside as many statistics: it loses statistics, and not one record.
func TestALargeReportKeepsItsRecords(t *testing.T) {
	many := make([]report.Statistic, report.MaxStatistics)
	for i := range many {
		many[i] = report.Statistic{Name: "disk.usage", Instance: strings.Repeat("long", 50) + time.Duration(i).String(), Unit: "%", Kind: report.Gauge}
	}
	p := &pass{request: newRequest(), sources: []stats.Source{gives("disk", many...)}, logs: []logs.Source{endless(3000)}}
	p.request.Logs = []report.LogRequest{{Channel: "Security", Raw: true, Fresh: 1}}
	r := p.run(t)
	l := r.Logs[0]
	size := 0
	for i := range l.Records {
		size += l.Records[i].Size()
	}
	if size < report.MaxRecordBytes*9/10 || l.Next.Record != int64(len(l.Records)) || len(r.Statistics) == 0 ||
		!strings.Contains(failuresOf(r), "statistics were left out") {
		t.Errorf("got %d statistics, %d records of %d bytes to %d, and %s", len(r.Statistics), len(l.Records), size, l.Next.Record, failuresOf(r))
	}
}

// All that a pass ever allocates is bounded, however many records wait, and even where they can't be compressed: so much
// memory it takes at most, if nothing of it were collected.
func TestAllThatAPassAllocates(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte('0' + random.IntN(70))
	}
	waiting := logs.Source{Takes: func(string) bool { return true }, Read: func(_ context.Context, q logs.Query) report.Logs {
		answer := report.Logs{Epoch: q.Fresh, Begun: "x", Next: report.Cursor{Epoch: q.Fresh}}
		batch := logs.NewBatch(&q)
		for id := int64(1); id <= 1_000_000; id++ {
			at := random.IntN(len(noise) - 1500)
			if !batch.Add(report.Record{ID: id, Raw: string(noise[at : at+1500])}) {
				answer.More = true
				break
			}
			answer.Next.Record = id
		}
		answer.Records = batch.Records()
		return answer
	}}
	p := &pass{request: newRequest(), logs: []logs.Source{waiting}, stdout: io.Discard}
	p.request.Logs = []report.LogRequest{{Channel: "Security", Raw: true, Fresh: 1}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := <-p.start(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	const most = 48 << 20 // half of it is used, more under the race detector
	took := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d KiB", took>>10)
	if took > most {
		t.Errorf("it allocated %d bytes, and may allocate %d", took, most)
	}
}

// A log that hangs costs half of the deadline, and the statistics are there.
func TestALogThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		hangs := logs.Source{Takes: func(string) bool { return true }, Read: func(context.Context, logs.Query) report.Logs {
			<-let
			return report.Logs{}
		}}
		p := &pass{request: newRequest(), sources: []stats.Source{gives("load", load(1))}, logs: []logs.Source{hangs}}
		p.request.Deadline = 20 * time.Second
		p.request.Logs = []report.LogRequest{{Channel: "Security", Fresh: 1}}
		began := time.Now()
		r := p.run(t)
		if took := time.Since(began); took != 10*time.Second || len(r.Statistics) != 1 {
			t.Errorf("it took %v and gave %d statistics", took, len(r.Statistics))
		}
		if got := failuresOf(r); got != "logs: Security: no answer within 10s" {
			t.Errorf("got %q", got)
		}
		close(let)
	})
}

func TestItIsStoppedWhileLogsAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := make(chan struct{})
		until := logs.Source{Takes: func(string) bool { return true }, Read: func(ctx context.Context, _ logs.Query) report.Logs {
			close(reads)
			<-ctx.Done()
			return report.Logs{More: true}
		}}
		p := &pass{request: newRequest(), logs: []logs.Source{until}}
		p.request.Logs = []report.LogRequest{{Channel: "Security", Fresh: 1}}
		ended := p.start(t, t.Context())
		<-reads
		began := time.Now()
		p.server.CloseWithError(io.EOF)
		if err := <-ended; !errors.Is(err, client.ErrStopped) || time.Since(began) > 0 || p.out.Len() > 0 {
			t.Errorf("got %v after %v, and %d bytes", err, time.Since(began), p.out.Len())
		}
	})
}
