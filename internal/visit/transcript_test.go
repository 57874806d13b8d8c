package visit

import (
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

func TestTranscript(t *testing.T) {
	var long []string
	for n := range 20_000 {
		long = append(long, strings.Repeat("x", n%7)+"-")
	}
	for name, test := range map[string]struct {
		pieces       []string
		want         string // empty: too long to say
		begins, ends string
	}{
		"nothing":      {nil, "", "", ""},
		"one line":     {[]string{"a\n"}, "a", "a", "a"},
		"lines":        {[]string{"a\r\n", "\n", "b\tc\n"}, "a\n\nb c", "a", "c"},
		"unprintable":  {[]string{"a\x1b[0m\u202e\xff\n"}, `a\x1b[0m\u202e\xff`, "a", "f"},
		"Windows path": {[]string{`C:\temp\new`}, `C:\temp\new`, "C", "w"},
		"long":         {long, "", "-x-xx-xxx-", strings.Repeat("x", 19_999%7) + "-"},
		"one large piece": {
			[]string{"begin" + strings.Repeat("y", 100_000) + "end"}, "", "beginyyy", "yyyend",
		},
		"grows when escaped": {[]string{strings.Repeat("\x01", 16_000) + "end"}, "", "…", `\x01end`},
		"just fits":          {[]string{strings.Repeat("z", headLimit+tailLimit)}, strings.Repeat("z", headLimit+tailLimit), "z", "z"},
	} {
		t.Run(name, func(t *testing.T) {
			var transcript transcript
			total := 0
			for _, piece := range test.pieces {
				n, err := transcript.Write([]byte(piece))
				if err != nil || n != len(piece) {
					t.Fatalf("wrote %d of %d, %v", n, len(piece), err)
				}
				total += n
			}
			got := transcript.String()
			if test.want != "" && got != test.want {
				t.Errorf("got %.100q, want %.100q", got, test.want)
			}
			if len(got) > logLimit || !strings.HasPrefix(got, test.begins) || !strings.HasSuffix(got, test.ends) {
				t.Errorf("%d bytes, from %.20q to %q", len(got), got, got[max(0, len(got)-20):])
			}
			if kept := len(transcript.head) + cap(transcript.tail); kept > 64<<10 {
				t.Errorf("%d bytes are kept of %d", kept, total)
			}
		})
	}
}

func TestTranscriptSaysWhatIsMissing(t *testing.T) {
	var transcript transcript
	_, _ = transcript.Write([]byte(strings.Repeat("a", headLimit) + strings.Repeat("b", 100) + strings.Repeat("c", tailLimit)))
	if got := transcript.String(); !strings.Contains(got, "a\n… 100 bytes …\nc") || strings.Contains(got, "b…") {
		t.Errorf("got %q around the gap", got[headLimit-20:headLimit+40])
	}
}

func TestLastWords(t *testing.T) {
	var transcript transcript
	if got := transcript.last(); got != "" {
		t.Errorf("got %q of nothing", got)
	}
	transcript.note([]byte("one"))
	transcript.note([]byte("two\n"))
	_, _ = transcript.Write([]byte("three\nfour\n"))
	if got, want := transcript.last(), "; its last words: two / three / four"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	_, _ = transcript.Write([]byte(strings.Repeat("ü", 1000)))
	if got := transcript.last(); len([]rune(got)) > lastLimit+30 || !strings.HasSuffix(got, "üü") {
		t.Errorf("got %q", got)
	}
}

func TestCounters(t *testing.T) {
	statistics := []report.Statistic{
		{Name: "cpu.usage", Unit: "%", Kind: report.Gauge, Value: 5},
		{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: 100},
		{Name: "disk.read", Instance: "sda", Unit: "B", Kind: report.Counter, Value: 1},
		{Name: "disk.read", Instance: `C:\odd, name`, Unit: "B", Kind: report.Counter, Value: 2},
	}
	got := packCounters(statistics).statistics()
	if len(got) != 3 || got[0] != statistics[1] || got[1] != statistics[2] || got[2] != statistics[3] {
		t.Errorf("got %v", got)
	}
	if packed := packCounters(statistics[:1]); !packed.empty() || packed.statistics() != nil {
		t.Errorf("there are counters in a report without: %v", packed.statistics())
	}
	if (counters{}).statistics() != nil || !(counters{}).empty() {
		t.Error("the zero value holds something")
	}
	if another := packCounters(statistics); another.series != packCounters(statistics).series {
		t.Error("hosts alike do not share the text")
	}
}

func TestIDsSortByTime(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	before := newID(at)
	for range 1000 {
		at = at.Add(time.Millisecond)
		id := newID(at)
		if id <= before || len(id) != 26 {
			t.Fatalf("%q does not come after %q", id, before)
		}
		before = id
	}
	if newID(at) == before {
		t.Error("two ids of the same time are the same")
	}
}
