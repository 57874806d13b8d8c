package logs_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/client/logs"
	"muster/internal/report"
)

// tape is a log of so many records; a reader of it says how it was asked.

type tape struct {
	records int64
	size    int // of a record's raw form
	asked   []logs.Query
}

func (l *tape) read(ctx context.Context, q logs.Query) report.Logs {
	l.asked = append(l.asked, q)
	answer := report.Logs{Epoch: q.Cursor.Epoch, Next: q.Cursor}
	if q.Cursor.Epoch == 0 {
		answer.Epoch, answer.Begun, answer.Why = q.Fresh, "tape", "first reading"
		answer.Next.Epoch = q.Fresh
	}
	batch := logs.NewBatch(&q)
	for id := q.Cursor.Record + 1; id <= l.records; id++ {
		if ctx.Err() != nil || !batch.Add(report.Record{ID: id, Raw: strings.Repeat("x", l.size)}) {
			answer.More = true
			break
		}
		answer.Next.Record = id
	}
	answer.Records = batch.Records()
	return answer
}

// sources makes each tape the channel of its name.

func sources(tapes map[string]*tape) []logs.Source {
	var all []logs.Source
	for name, l := range tapes {
		all = append(all, is(name, l.read))
	}
	return all
}

func is(name string, read logs.Reader) logs.Source {
	return logs.Source{Takes: func(channel string) bool { return channel == name }, Read: read}
}

// asking asks channels of which nothing was read yet since their epochs began. The first has the first turn.

func asking(records, bytes int, channels ...string) *report.Request {
	r := &report.Request{Visit: "v", Host: "h", Records: records, Bytes: bytes}
	for _, channel := range channels {
		r.Logs = append(r.Logs, report.LogRequest{Channel: channel, Raw: true, Cursor: report.Cursor{Epoch: 1}, Fresh: 2})
	}
	return r
}

// check fails the test where answers are not such as a server takes, or can't be sent.

func check(t *testing.T, request *report.Request, answers []report.Logs) {
	t.Helper()
	if len(answers) != len(request.Logs) {
		t.Fatalf("%d answers to %d channels", len(answers), len(request.Logs))
	}
	for i := range answers {
		if answers[i].Channel != request.Logs[i].Channel {
			t.Errorf("answer %d is of %q, want %q", i, answers[i].Channel, request.Logs[i].Channel)
		}
	}
	if err := request.CheckLogs(answers); err != nil {
		t.Error(err)
	}
	r := report.Report{Visit: "v", Host: "h", Time: time.Unix(0, 0), Client: "1", OS: "linux", Arch: "amd64", Logs: answers}
	if _, err := r.Marshal(); err != nil {
		t.Error(err)
	}
}

// counts returns how many records each channel brought.

func counts(answers []report.Logs) []int {
	var counts []int
	for i := range answers {
		counts = append(counts, len(answers[i].Records))
	}
	return counts
}

func TestBoundsAreSharedOut(t *testing.T) {
	const record = 1100 // bytes, about
	for name, test := range map[string]struct {
		records, bytes int
		tapes          []tape
		want           []int
	}{
		"all fit":                        {100, 0, []tape{{records: 5}, {records: 6}, {records: 7}}, []int{5, 6, 7}},
		"equal shares":                   {30, 0, []tape{{records: 50}, {records: 50}, {records: 50}}, []int{10, 10, 10}},
		"what one leaves others have":    {30, 0, []tape{{records: 2}, {records: 50}, {records: 50}}, []int{2, 14, 14}},
		"what the last leaves, the rest": {32, 0, []tape{{records: 50}, {records: 0}, {records: 0}, {records: 0}}, []int{32, 0, 0, 0}},
		"more channels than records":     {2, 0, []tape{{records: 5}, {records: 5}, {records: 5}}, []int{1, 1, 0}},
		"bytes":                          {1000, 30 * record, []tape{{records: 50, size: 1000}, {records: 50, size: 1000}, {records: 50, size: 1000}}, []int{10, 10, 10}},
		"small beside large":             {1000, 40 * record, []tape{{records: 100, size: 20_000}, {records: 20, size: 100}}, []int{2, 20}},
		"one larger than all":            {1000, 1000, []tape{{records: 5, size: 100_000}, {records: 5}}, []int{1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			tapes := make(map[string]*tape)
			var channels []string
			for i := range test.tapes {
				channels = append(channels, fmt.Sprint(i))
				tapes[channels[i]] = &test.tapes[i]
			}
			request := asking(test.records, test.bytes, channels...)
			answers := logs.Read(t.Context(), request, sources(tapes))
			check(t, request, answers)
			if got := counts(answers); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			for i := range answers {
				if more := int64(len(answers[i].Records)) < test.tapes[i].records; answers[i].More != more {
					t.Errorf("channel %d: more is %v", i, answers[i].More)
				}
			}
		})
	}
}

// However large the records are and whatever the bounds, every record comes once, in order, in some part.

func TestEveryRecordOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		tapes := make(map[string]*tape)
		var channels []string
		for i := range 1 + random.IntN(5) {
			channels = append(channels, fmt.Sprint(i))
			tapes[channels[i]] = &tape{records: random.Int64N(200), size: random.IntN(3) * random.IntN(20_000)}
		}
		request := asking(1+random.IntN(100), 1+random.IntN(100_000), channels...)
		last := make(map[string]int64)
		for {
			answers := logs.Read(t.Context(), request, sources(tapes))
			check(t, request, answers)
			more := false
			for i, l := range answers {
				for _, r := range l.Records {
					if r.ID != last[l.Channel]+1 {
						t.Fatalf("record %d of %s comes after %d", r.ID, l.Channel, last[l.Channel])
					}
					last[l.Channel] = r.ID
				}
				request.Logs[i].Cursor = l.Next
				request.Logs[i].Fresh = l.Next.Epoch + 1
				more = more || l.More
			}
			if request.Part++; !more || request.Part > 5000 {
				break
			}
		}
		for name, l := range tapes {
			if last[name] != l.records {
				t.Errorf("%d of %d records of %s came, in %d parts", last[name], l.records, name, request.Part)
			}
		}
	}
}

func TestNoChannelStarves(t *testing.T) {
	tapes := map[string]*tape{"a": {records: 1e6, size: 100_000}, "b": {records: 10, size: 100_000}, "c": {records: 10, size: 100_000}}
	request := asking(100, 1000, "a", "b", "c") // room for one record in a part
	read := make(map[string]int)
	for request.Part = range 9 {
		for i, l := range logs.Read(t.Context(), request, sources(tapes)) {
			read[l.Channel] += len(l.Records)
			request.Logs[i].Cursor, request.Logs[i].Fresh = l.Next, l.Next.Epoch+1
		}
	}
	if read["a"] != 3 || read["b"] != 3 || read["c"] != 3 {
		t.Errorf("got %v", read)
	}
}

// The first parts of visits that come at even intervals have no fixed order of turns: one in which a large record never

// had the room would be the last word.

func TestNoChannelStarvesAtEvenIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tapes := map[string]*tape{"busy": {records: 1e6, size: 1000}, "large": {records: 1, size: 120_000}}
		request := asking(1000, 200_000, "busy", "large")
		random := rand.New(rand.NewPCG(5, 6))
		for range 50 {
			binary.BigEndian.PutUint64(request.Nonce[:], random.Uint64())
			for i, l := range logs.Read(t.Context(), request, sources(tapes)) {
				request.Logs[i].Cursor = l.Next
			}
			if request.Logs[1].Cursor.Record == 1 {
				return
			}
			time.Sleep(time.Hour)
		}
		t.Errorf("the large record never came, in %d visits", len(tapes["large"].asked))
	})
}

// What a reservation says of an epoch is true of the answer with which it began, and of no other.

func TestAnEpochThatBeganHasOneAnswer(t *testing.T) {
	full := &tape{records: 100}
	request := asking(40, 0, "full", "idle")
	request.Logs[0].Cursor, request.Logs[0].Fresh = report.Cursor{}, 1
	answers := logs.Read(t.Context(), request, sources(map[string]*tape{"full": full, "idle": {}}))
	check(t, request, answers)
	if l := answers[0]; len(full.asked) != 1 || len(l.Records) != 20 || l.Begun != "tape" || !l.More {
		t.Errorf("asked %d times, got %d records, %+v", len(full.asked), len(l.Records), l.Next)
	}
}

func TestTheSecondRoundGoesOnWhereTheFirstEnded(t *testing.T) {
	full, idle := &tape{records: 100}, &tape{}
	request := asking(40, 0, "full", "idle")
	request.Logs[0].Begun = report.Epoch{Number: 1, Identity: "another"}
	answers := logs.Read(t.Context(), request, sources(map[string]*tape{"full": full, "idle": idle}))
	check(t, request, answers)
	if len(full.asked) != 2 || len(idle.asked) != 1 {
		t.Fatalf("they were asked %d and %d times", len(full.asked), len(idle.asked))
	}
	second := full.asked[1]
	if second.Cursor != (report.Cursor{Epoch: 1, Record: 20}) || second.Fresh != 2 || second.Begun != (report.Epoch{}) {
		t.Errorf("the second time it was asked for %+v", second)
	}
	if l := answers[0]; len(l.Records) != 40 || l.Begun != "" || l.Next.Record != 40 || !l.More {
		t.Errorf("got %d records, %+v", len(l.Records), l.Next)
	}
}

// An epoch that begins in the second round is for the next report: one brings one epoch of a channel.

func TestAnEpochThatBeginsInTheSecondRound(t *testing.T) {
	times := 0
	read := func(_ context.Context, q logs.Query) report.Logs {
		times++
		l := report.Logs{Epoch: q.Cursor.Epoch, Next: q.Cursor, More: true, Records: []report.Record{{ID: 8, Time: q.Now}}}
		l.Next.Record = 8
		if times == 2 {
			l = report.Logs{Epoch: q.Fresh, Begun: "x", Next: report.Cursor{Epoch: q.Fresh, Record: 1}, Records: []report.Record{{ID: 1, Time: q.Now}}}
		}
		return l
	}
	request := asking(100, 0, "a")
	request.Logs[0].Cursor, request.Logs[0].Fresh = report.Cursor{Epoch: 3, Record: 7}, 4
	answers := logs.Read(t.Context(), request, []logs.Source{is("a", read)})
	check(t, request, answers)
	if l := answers[0]; times != 2 || l.Epoch != 3 || l.Next.Record != 8 || len(l.Records) != 1 || !l.More {
		t.Errorf("asked %d times, got %+v", times, l)
	}
}

// What one reader does wrong is its own channel's trouble, and its cursor stays where it was.

// A reader is told to end, then given up, and the next one has its time all the same.

// What is read when the time is over is kept, and channels that it did not suffice for have more to read.

// However many records wait, and however large they are, the memory for them is bounded.

func TestMemoryIsBounded(t *testing.T) {
	for name, size := range map[string]int{"small": 1, "usual": 1500, "large": report.MaxRaw} {
		waiting := &tape{records: 1_000_000, size: size}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		answers := logs.Read(t.Context(), asking(0, 0, "a"), sources(map[string]*tape{"a": waiting}))
		runtime.GC()
		runtime.ReadMemStats(&after)
		held := int(after.HeapAlloc) - int(before.HeapAlloc)
		t.Logf("%s: %d records hold %d KiB", name, len(answers[0].Records), held>>10)
		if most := report.MaxRecordBytes + report.MaxRecords*512; len(answers[0].Records) == 0 || held > most {
			t.Errorf("%s: %d records hold %d bytes, and may hold %d", name, len(answers[0].Records), held, most)
		}
		runtime.KeepAlive(answers)
	}
}

func TestBatch(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	q := logs.Query{Records: 2, Bytes: 1000, Now: now}
	b := logs.NewBatch(&q)
	if !b.Add(report.Record{ID: 1, Raw: "raw", Message: "a\x00"}) || b.Full() || !b.Add(report.Record{ID: 2}) || !b.Full() || b.Add(report.Record{ID: 3}) {
		t.Errorf("it holds %+v", b.Records())
	}
	if r := b.Records(); len(r) != 2 || r[0].Raw != "" || r[0].Message != "a\ufffd" || !r[0].Altered || !r[0].Time.Equal(now) {
		t.Errorf("it holds %+v", r)
	}
	large := report.Record{ID: 1, Message: strings.Repeat("x", 2000)}
	b = logs.NewBatch(&q)
	if b.Add(large) || !b.Full() {
		t.Error("it takes a record beyond its bytes")
	}
	q.Most = 3000
	b = logs.NewBatch(&q)
	if !b.Add(large) || !b.Full() || b.Add(report.Record{ID: 2}) {
		t.Error("a first record may be larger, and nothing after it")
	}
	b = logs.NewBatch(&q)
	if !b.Add(report.Record{ID: 1}) || b.Add(large) || b.Add(report.Record{ID: 3}) || len(b.Records()) != 1 {
		t.Error("after one that was refused there may be no other")
	}
}
