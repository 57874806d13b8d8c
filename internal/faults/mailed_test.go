package faults_test

import (
	"fmt"
	"slices"
	"testing"

	"muster/internal/faults"
	"muster/internal/mail"
	"muster/internal/report"
)

// read returns a mail as the product renders it, read back.
func read(t *testing.T, d mail.Digest) faults.Letter {
	t.Helper()
	d.To, d.Sweep = "a@bench.test", at(0)
	message, err := mail.Render(d)
	if err != nil {
		t.Fatal(err)
	}
	l, err := faults.ParseLetter([]byte("Message-Id: <1>\nContent-Type: text/plain\n\n"+message.Text), d.To)
	if err != nil {
		t.Fatalf("%v in\n%s", err, message.Text)
	}
	return l
}

// mailedRecord is a record as the product mails it.
func mailedRecord(host string, line int) mail.Record {
	return mail.Record{
		Notice: fmt.Sprint(host, "/", line), Host: host, Groups: "bench", Channel: "file:/var/log/bench.log",
		Record: report.Record{ID: int64(line), Time: at(line % 60), Source: "rare", Message: fmt.Sprint(faults.Lined, line)},
	}
}

func TestLetterOfRecords(t *testing.T) {
	silent := mailedRecord("a", 5)
	silent.Record.Message = "a line of another kind"
	alarm := mail.Item{
		Notice: "n", Host: "a", Groups: "bench", Statistic: faults.LogsMatches, Instance: "file:/var/log/bench.log, providers burst",
		Unit: "1", Limit: "above 20 within 5s", Value: 30, Since: at(1),
		Text: "2026-03-01 12:00:00 to 12:00:01 UTC; the last: 12:00:01 burst: record number 28 | 12:00:01 burst: record number 29",
	}
	over := alarm
	over.Ended = at(20)
	l := read(t, mail.Digest{
		Raised: []mail.Item{alarm}, Ended: []mail.Item{over},
		Records: []mail.Record{mailedRecord("a", 3), mailedRecord("bb", 4), silent, {Notice: "x", Host: "a", More: 7}},
	})
	if !slices.Equal(l.Records, []faults.HostLine{{"a", 3}, {"bb", 4}, {"a", 0}}) || l.Counted != 7 {
		t.Errorf("records %+v, and %d", l.Records, l.Counted)
	}
	minute := at(0).Format("2006-01-02 15:04")
	if !slices.Equal(l.Mentions, []faults.Mention{{faults.LogsMatches, false, minute}, {faults.LogsMatches, true, minute}}) {
		t.Errorf("mentions %+v", l.Mentions)
	}
	if l := read(t, mail.Digest{Records: []mail.Record{{Notice: "x", Host: "a", More: 1}}}); l.Counted != 1 || l.Records != nil {
		t.Errorf("one that is counted: %+v", l)
	}
	var many []mail.Record
	for n := range 130 {
		many = append(many, mailedRecord("a", n+1))
	}
	if l := read(t, mail.Digest{Records: many}); len(l.Records) != 100 || l.Counted != 30 {
		t.Errorf("of 130 records %d are shown, and %d counted", len(l.Records), l.Counted)
	}
}

// mailed returns a book that balances: of host a the lines 2, 4 and 6 are to be mailed, and line 6 was never stored.
func mailed(t *testing.T) faults.Mailed {
	t.Helper()
	first := read(t, mail.Digest{Records: []mail.Record{mailedRecord("a", 2)}})
	second := read(t, mail.Digest{Records: []mail.Record{mailedRecord("a", 4)}})
	second.ID = "<2>"
	return faults.Mailed{
		Letters: []faults.Letter{first, second, {ID: "<1>", To: "b@bench.test"}, {ID: "<3>", To: "operators@bench.test"}},
		Hosts:   map[string]string{"a@bench.test": "a", "b@bench.test": "b"},
		Rows: []faults.RecordRow{
			{"a", 1, 1, 1}, {"a", 1, 20, 2}, {"a", 1, 40, 3}, {"a", 1, 60, 4}, {"a", 1, 80, 5}, {"b", 1, 1, 2}, {"b", 1, 9, 0},
		},
		Marked: map[string][]int{"a": {2, 4, 6}},
		Kept:   1,
	}
}

func TestMailed(t *testing.T) {
	for name, test := range map[string]struct {
		spoil  func(*faults.Mailed)
		titles []string
		notes  int
	}{
		"all is well": {func(*faults.Mailed) {}, nil, 0},
		"a letter twice under one id": {func(b *faults.Mailed) {
			b.Letters = append(b.Letters, b.Letters[0])
		}, nil, 0},
		"a letter twice under another": {func(b *faults.Mailed) {
			b.Letters = append(b.Letters, b.Letters[0])
			b.Letters[4].ID = "<4>"
		}, []string{faults.RecordAgain}, 0},
		"a record in two letters": {func(b *faults.Mailed) {
			b.Letters[1].Records = append(b.Letters[1].Records, faults.HostLine{Host: "a", Line: 2})
		}, []string{faults.RecordAgain}, 0},
		"a record twice in one": {func(b *faults.Mailed) {
			b.Letters[0].Records = append(b.Letters[0].Records, faults.HostLine{Host: "a", Line: 2})
		}, []string{faults.RecordAgain}, 0},
		"a letter is lost": {func(b *faults.Mailed) { b.Letters = b.Letters[1:] }, []string{faults.RecordUntold}, 0},
		"all are lost":     {func(b *faults.Mailed) { b.Letters = nil }, []string{faults.RecordUntold, faults.RecordUntold}, 0},
		"one is counted": {func(b *faults.Mailed) {
			b.Letters = b.Letters[1:]
			b.Letters[0].Counted = 1
		}, nil, 1},
		"one is counted, of no more than are kept": {func(b *faults.Mailed) {
			b.Letters = b.Letters[1:]
			b.Letters[0].Counted, b.Kept = 1, 2
		}, []string{faults.RecordUntold, faults.CountedWrong}, 0},
		"counted to a host that has none": {func(b *faults.Mailed) { b.Letters[2].Counted = 1 }, []string{faults.CountedWrong}, 0},
		"one is counted, two are missing": {func(b *faults.Mailed) {
			b.Letters = b.Letters[1:]
			b.Letters[0].Counted, b.Letters[0].Records = 1, nil
		}, []string{faults.RecordUntold}, 1},
		"one is counted, and mailed": {func(b *faults.Mailed) { b.Letters[0].Counted = 1 }, []string{faults.CountedWrong}, 0},
		"counted to nobody's":        {func(b *faults.Mailed) { b.Letters[3].Counted = 1 }, []string{faults.CountedWrong}, 0},
		"one that is not marked": {func(b *faults.Mailed) {
			b.Letters[0].Records = append(b.Letters[0].Records, faults.HostLine{Host: "a", Line: 3})
		}, []string{faults.RecordUnasked}, 0},
		"one that was destroyed": {func(b *faults.Mailed) {
			b.Letters[0].Records = append(b.Letters[0].Records, faults.HostLine{Host: "a", Line: 6})
		}, []string{faults.RecordUnasked}, 0},
		"one without a number": {func(b *faults.Mailed) {
			b.Letters[0].Records = append(b.Letters[0].Records, faults.HostLine{Host: "a"})
		}, []string{faults.RecordUnasked}, 0},
		"to another host's receiver": {func(b *faults.Mailed) {
			b.Letters[2].Records = []faults.HostLine{{Host: "a", Line: 2}}
		}, []string{faults.RecordUnasked}, 0},
		"to nobody's receiver": {func(b *faults.Mailed) {
			b.Letters[3].Records = []faults.HostLine{{Host: "a", Line: 2}}
		}, []string{faults.RecordUnasked}, 0},
		"of a host without receiver": {func(b *faults.Mailed) {
			b.Marked["c"] = []int{1}
			b.Rows = append(b.Rows, faults.RecordRow{"c", 1, 1, 1})
		}, []string{faults.RecordUntold}, 0},
		"stored twice": {func(b *faults.Mailed) {
			b.Rows = append(b.Rows, faults.RecordRow{"a", 2, 1, 2})
		}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := mailed(t)
			test.spoil(&b)
			balance := b.Balance()
			want(t, balance, test.titles...)
			if len(balance.Notes) != test.notes {
				t.Errorf("notes: %q", balance.Notes)
			}
		})
	}
	if b := mailed(t).Balance(); b.Entries != 2 {
		t.Errorf("%d entries", b.Entries)
	}
}
