package logs_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/client/logs"
	"muster/internal/report"
)

func TestReadersThatFail(t *testing.T) {
	record := func(id int64) report.Record { return report.Record{ID: id, Time: time.Unix(0, 0)} }
	for name, test := range map[string]struct {
		read logs.Reader
		kind report.TroubleKind
		want string
	}{
		"panics": {func(context.Context, logs.Query) report.Logs { panic("out of luck") }, report.TroubleFailed, "panic: out of luck"},
		"goes back": {func(context.Context, logs.Query) report.Logs {
			return report.Logs{Epoch: 3, Next: report.Cursor{Epoch: 3, Record: 6}}
		}, report.TroubleFailed, "it goes back"},
		"epoch": {func(context.Context, logs.Query) report.Logs {
			return report.Logs{Epoch: 9, Begun: "x", Next: report.Cursor{Epoch: 9, Record: 6}}
		}, report.TroubleFailed, "an epoch that it can't be of"},
		"position": {func(context.Context, logs.Query) report.Logs {
			return report.Logs{Next: report.Cursor{Epoch: 3, Record: 8, Position: "\x00"}}
		}, report.TroubleFailed, "the position"},
		"disorder": {func(context.Context, logs.Query) report.Logs {
			return report.Logs{Next: report.Cursor{Epoch: 3, Record: 9}, Records: []report.Record{record(9), record(8)}}
		}, report.TroubleFailed, "record 8 comes after record 9"},
		"out of hand": {func(_ context.Context, q logs.Query) report.Logs {
			l := report.Logs{Next: report.Cursor{Epoch: 3, Record: 7}}
			for range q.Records + 1 {
				l.Next.Record++
				l.Records = append(l.Records, record(l.Next.Record))
			}
			return l
		}, report.TroubleFailed, "larger than allowed"},
		"trouble alone": {func(context.Context, logs.Query) report.Logs {
			return report.Logs{Trouble: &report.Trouble{Kind: report.TroubleDenied, Text: "no\x1b"}}
		}, report.TroubleDenied, "no\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				good := &tape{records: 5}
				request := asking(100, 0, "bad", "good", "absent")
				request.Logs = request.Logs[:2]
				request.Logs[0].Cursor, request.Logs[0].Fresh = report.Cursor{Epoch: 3, Record: 7, Position: "p"}, 4
				answers := logs.Read(ctx, request, []logs.Source{is("bad", test.read), is("good", good.read)})
				check(t, request, answers)
				bad := answers[0]
				if bad.Trouble == nil || bad.Trouble.Kind != test.kind || !strings.Contains(bad.Trouble.Text, test.want) {
					t.Errorf("got %+v", bad.Trouble)
				}
				if bad.Next != request.Logs[0].Cursor || len(bad.Records) > 0 {
					t.Errorf("got %+v", bad)
				}
				if len(answers[1].Records) != 5 || answers[1].Trouble != nil {
					t.Errorf("beside it: %+v", answers[1])
				}
			})
		})
	}
}

func TestAReaderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		let := make(chan struct{})
		began := time.Now()
		told := make(chan time.Duration, 1)
		var given time.Duration
		hangs := func(ctx context.Context, _ logs.Query) report.Logs {
			<-ctx.Done()
			told <- time.Since(began)
			<-let
			return report.Logs{}
		}
		second := func(ctx context.Context, q logs.Query) report.Logs {
			until, _ := ctx.Deadline()
			given = time.Until(until)
			return (&tape{records: 1}).read(ctx, q)
		}
		request := asking(0, 0, "hangs", "second")
		answers := logs.Read(ctx, request, []logs.Source{is("hangs", hangs), is("second", second)})
		check(t, request, answers)
		if trouble := answers[0].Trouble; trouble == nil || *trouble != (report.Trouble{Kind: report.TroubleSlow, Text: "no answer within 6s"}) {
			t.Errorf("got %+v", trouble)
		}
		took, after := time.Since(began), <-told
		if after != 4500*time.Millisecond || given != 4500*time.Millisecond || took != 6*time.Second || len(answers[1].Records) != 1 {
			t.Errorf("it was told to end after %v, the second had %v, all took %v", after, given, took)
		}
		close(let)
	})
}

func TestTheTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, q logs.Query) report.Logs {
			<-ctx.Done()
			l := (&tape{records: 10}).read(context.Background(), q)
			l.More = true
			return l
		}
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		request := asking(0, 0, "slow", "next")
		answers := logs.Read(ctx, request, []logs.Source{is("slow", slow), is("next", func(ctx context.Context, q logs.Query) report.Logs {
			cancel()
			return (&tape{records: 1}).read(context.Background(), q)
		})})
		check(t, request, answers)
		if len(answers[0].Records) != 10 || !answers[0].More || answers[0].Trouble != nil {
			t.Errorf("got %+v", answers[0])
		}
		answers = logs.Read(ctx, request, nil) // it is over before it begins
		check(t, request, answers)
		for _, l := range answers {
			if !l.More || l.Trouble != nil || len(l.Records) > 0 {
				t.Errorf("got %+v", l)
			}
		}
	})
}

func TestAChannelThatNobodyReads(t *testing.T) {
	request := asking(0, 0, "Security")
	request.Logs[0].Cursor, request.Logs[0].Fresh = report.Cursor{Epoch: 3, Record: 7}, 4
	answers := logs.Read(t.Context(), request, nil)
	check(t, request, answers)
	trouble := answers[0].Trouble
	if trouble == nil || trouble.Kind != report.TroubleUnsupported || !strings.Contains(trouble.Text, runtime.GOOS) || answers[0].More {
		t.Errorf("got %+v", answers[0])
	}
}

func TestGapsCount(t *testing.T) {
	gaps := func(_ context.Context, q logs.Query) report.Logs {
		l := report.Logs{Epoch: q.Fresh, Begun: "x", Why: "y", Next: report.Cursor{Epoch: q.Fresh, Record: 1}}
		for i := range report.MaxGaps {
			l.Gaps = append(l.Gaps, report.Gap{Epoch: q.Fresh, First: int64(2*i + 1), Last: int64(2*i + 1), Reason: strings.Repeat(`"`, 999)})
		}
		return l
	}
	var channels []string
	for i := range report.MaxChannels {
		channels = append(channels, fmt.Sprint(i))
	}
	request := asking(0, 0, channels...)
	answers := logs.Read(t.Context(), request, []logs.Source{{Takes: func(string) bool { return true }, Read: gaps}})
	check(t, request, answers) // the report is not larger than it may be
	read := 0
	for _, l := range answers {
		if len(l.Gaps) > 0 {
			read++
		}
	}
	if read < 10 || read == len(answers) {
		t.Errorf("%d channels were read", read)
	}
}
