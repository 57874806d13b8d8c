package faults_test

import (
	"testing"

	"muster/internal/faults"
)

// records returns a book that balances: ten lines; the log was rotated after the third, cleared after the sixth, of which
// the fifth and sixth were not read, and cleared after the eighth, when all was read.
func records() faults.Records {
	return faults.Records{
		Rows: []faults.RecordRow{
			{"a", 1, 1, 1}, {"a", 1, 20, 2}, {"a", 1, 40, 3}, {"a", 2, 1, 4},
			{"a", 3, 1, 7}, {"a", 3, 20, 8}, {"a", 4, 1, 9}, {"a", 4, 20, 10},
		},
		Gaps:    []faults.GapRow{{"a", 2, 20, 0}, {"a", 3, 40, 0}},
		Written: map[string]int{"a": 10, "b": 0},
		Cleared: map[string][]faults.Lines{"a": {{4, 6}, {7, 8}}},
	}
}

func TestRecords(t *testing.T) {
	for name, test := range map[string]struct {
		spoil  func(*faults.Records)
		titles []string
	}{
		"a file that nobody saw": {func(b *faults.Records) {
			b.Rows, b.Gaps = b.Rows[:6], b.Gaps[:1]
			b.Cleared["a"] = []faults.Lines{{4, 6}, {9, 10}}
		}, nil},
		"all is well":                  {func(*faults.Records) {}, nil},
		"the first is lost":            {func(b *faults.Records) { b.Rows = b.Rows[1:] }, []string{faults.LineLost}},
		"one is lost":                  {func(b *faults.Records) { b.Rows = append(b.Rows[:1:1], b.Rows[2:]...) }, []string{faults.LineLost}},
		"the last is lost":             {func(b *faults.Records) { b.Rows = b.Rows[:7] }, []string{faults.LineLost}},
		"all are lost":                 {func(b *faults.Records) { b.Rows, b.Gaps = nil, nil }, []string{faults.LineLost}},
		"lost after a clearing":        {func(b *faults.Records) { b.Rows = append(b.Rows[:4:4], b.Rows[5:]...) }, []string{faults.LineLost}},
		"lost before what was cleared": {func(b *faults.Records) { b.Cleared["a"][0].First = 6 }, []string{faults.LineLost}},
		"a gap is lost":                {func(b *faults.Records) { b.Gaps = b.Gaps[1:] }, []string{faults.LineLost}},
		"a gap of nothing":             {func(b *faults.Records) { b.Gaps = b.Gaps[:1] }, nil},
		"a gap elsewhere":              {func(b *faults.Records) { b.Gaps[0].Epoch = 1 }, []string{faults.LineLost, faults.GapInvented}},
		"stored by a killed server, and gone for the next": {func(b *faults.Records) {
			b.Rows = append(b.Rows[:4:4], faults.RecordRow{"a", 2, 20, 5}, b.Rows[4], b.Rows[5], b.Rows[6], b.Rows[7])
			b.Gaps[0].First = 1
		}, nil},
		"a gap that ends before what is gone": {func(b *faults.Records) {
			b.Rows = append(b.Rows[:4:4], faults.RecordRow{"a", 2, 20, 5}, b.Rows[4], b.Rows[5], b.Rows[6], b.Rows[7])
			b.Gaps[0].First, b.Gaps[0].Last = 1, 19
		}, []string{faults.LineLost, faults.GapInvented}},
		"a gap too many": {func(b *faults.Records) { b.Gaps = append(b.Gaps, faults.GapRow{"a", 4, 2, 0}) }, []string{faults.GapInvented}},
		"twice": {func(b *faults.Records) {
			b.Rows = append(b.Rows, faults.RecordRow{"a", 5, 1, 2})
		}, []string{faults.LineTwice}},
		"nobody's": {func(b *faults.Records) {
			b.Rows = append(b.Rows, faults.RecordRow{"a", 5, 1, 11}, faults.RecordRow{"a", 5, 2, 0}, faults.RecordRow{"c", 5, 2, 1})
		}, []string{faults.LineUnknown, faults.LineUnknown, faults.LineUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			b := records()
			test.spoil(&b)
			balance := b.Balance()
			want(t, balance, test.titles...)
			if balance.Entries != 10 {
				t.Errorf("%d entries", balance.Entries)
			}
		})
	}
}

func TestNumberOfALine(t *testing.T) {
	for line, want := range map[string]int{
		faults.Lined + "17": 17, "x " + faults.Lined + "3": 3, faults.Lined: 0, faults.Lined + "3x": 0, "": 0, "17": 0,
		faults.Lined + "99999999999999999999": 0,
	} {
		if got := faults.LineOf(line); got != want {
			t.Errorf("%q: %d", line, got)
		}
	}
}
