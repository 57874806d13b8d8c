package mail_test

import (
	"errors"
	"flag"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"muster/internal/mail"
	"muster/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	for name, d := range map[string]mail.Digest{"fleet": fleet(), "one": one(), "over": over(), "hostile": hostile(), "logged": logged(), "cleared": cleared()} {
		t.Run(name, func(t *testing.T) {
			m := render(t, d)
			for kind, got := range map[string]string{"txt": "Subject: " + m.Subject + "\n\n" + m.Text, "html": m.HTML} {
				file := filepath.Join("testdata", name+"."+kind)
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatalf("%v (go test -update writes it)", err)
				}
				if got != string(want) {
					t.Errorf("%s differs (go test -update writes it anew):\n%s", file, got)
				}
			}
		})
	}
}

// Whatever text says, HTML says too, and the other way round.
func TestTextAndHTMLSayTheSame(t *testing.T) {
	m := render(t, fleet())
	plain := html.UnescapeString(regexp.MustCompile(`(?s)<style>.*</style>|<[^>]*>`).ReplaceAllString(m.HTML, " "))
	for _, d := range []mail.Digest{fleet()} {
		for _, i := range slices.Concat(d.Raised, d.Ended) {
			for _, word := range []string{i.Host, i.Instance, i.Groups, i.Text} {
				if !strings.Contains(m.Text, word) || !strings.Contains(plain, word) {
					t.Errorf("%q: in the text %v, in the HTML %v", word, strings.Contains(m.Text, word), strings.Contains(plain, word))
				}
			}
		}
	}
	for _, word := range []string{
		"97.3 %", "above 90 % for 5m", "21.5 MiB/s", "71 °C", "2026-03-01 11:52 (8m)", "2026-02-28 10:00 (1d 2h)",
		"lasted 2h 5m, until 2026-03-01 12:00", "lasted 3d 4h", "no longer reported; it was 99 %", "60 hosts, 2 of them could not be visited",
		"5 alerts raised before go on", "UTC",
	} {
		if !strings.Contains(m.Text, word) || !strings.Contains(plain, word) {
			t.Errorf("%q: in the text %v, in the HTML %v", word, strings.Contains(m.Text, word), strings.Contains(plain, word))
		}
	}
	if strings.ContainsAny(m.Text, "<>") {
		t.Error("the text has markup")
	}
	for i, line := range strings.Split(m.Text, "\n") {
		if utf8.RuneCountInString(line) > 96 {
			t.Errorf("line %d has %d characters: %s", i, utf8.RuneCountInString(line), line)
		}
	}
}

func TestHostileText(t *testing.T) {
	d := hostile()
	m := render(t, d)
	for name, text := range map[string]string{"subject": m.Subject, "text": m.Text, "HTML": m.HTML} {
		for _, r := range text {
			if r != '\n' && !unicode.IsPrint(r) || name == "subject" && r == '\n' {
				t.Errorf("the %s holds %q", name, r)
			}
		}
		if !utf8.ValidString(text) {
			t.Errorf("the %s is not UTF-8", name)
		}
	}
	for _, bad := range []string{"<script", "<img", "<i>", "<b>2", "</td></table> java", "onerror=y>"} {
		if strings.Contains(m.HTML, bad) {
			t.Errorf("the HTML holds %q", bad)
		}
	}
	for _, good := range []string{`a\r\nBcc`, `\u202egnp`, "…"} {
		if !strings.Contains(m.HTML, good) || !strings.Contains(m.Text, good) {
			t.Errorf("%q was lost", good)
		}
	}
	if len(m.Text) > 4000 || len(m.HTML) > 16000 {
		t.Errorf("text of %d bytes, HTML of %d", len(m.Text), len(m.HTML))
	}
	for _, reference := range []string{"http:", "https:", "src=", "url(", "@import", "<link"} {
		if strings.Contains(render(t, fleet()).HTML, reference) {
			t.Errorf("the HTML refers to something outside: %s", reference)
		}
	}
}

func TestSubject(t *testing.T) {
	many := fleet()
	many.Raised = nil
	for i := range 400 {
		many.Raised = append(many.Raised, mail.Item{Host: fmt.Sprintf("host%03d", i/2), Statistic: "cpu.usage"})
	}
	long := fleet()
	long.Raised = []mail.Item{{Host: strings.Repeat("x", 300)}, {Host: "y"}}
	failed := one()
	failed.Raised = fleet().Raised[3:4]
	back := over()
	back.Ended = fleet().Ended[2:]
	tests := map[string]struct {
		digest mail.Digest
		want   string
	}{
		"one raised": {one(), "[muster] db1.example.org: disk.usage /var/lib/mysql 93.4 % (above 85 %)"},
		"one over":   {over(), "[muster] over: web9: memory.usage (above 80 %)"},
		"one failed": {failed, "[muster] db2.example.org can't be visited: dial: dial tcp 10.0.0.12:22: connect: connection refused"},
		"one back":   {back, "[muster] over: visits of mail1 failed"},
		"several": {fleet(),
			"[muster] 6 alerts, 3 over: db2.example.org, web1, web2, files1, db1.example.org, büro-磁盘, mail1 …"},
		"many": {many, "[muster] 400 alerts, 3 over: host000, host001, host002, host003, host004, host005, host006 …"},
		"long": {long, "[muster] 2 alerts, 3 over: " + strings.Repeat("x", 63) + "…, y …"},
	}
	for name, test := range tests {
		got := render(t, test.digest).Subject
		if got != test.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, test.want)
		}
		if n := utf8.RuneCountInString(got); n > 100 {
			t.Errorf("%s: %d characters", name, n)
		}
	}
}

// TestAdviceIsNeverCut has a failure of which the instruction stands at the end of a long text.
func TestAdviceIsNeverCut(t *testing.T) {
	command := "remove line 12 of /home/operator/.ssh/known_hosts and run: ssh-keyscan -p 2222 host.example.org >> " +
		"/home/operator/.ssh/known_hosts"
	advice := "find out why: a reinstalled machine, or somebody in between; if the new fingerprint is the host's own, " + command
	for _, length := range []int{10, 250, 600, 5000} {
		d := one()
		d.Raised[0].Statistic = "visit.failed"
		d.Raised[0].Text = "handshake: " + strings.Repeat("w", length) + "; " + advice
		m := render(t, d)
		text := strings.Join(strings.Fields(m.Text), " ")
		if !strings.Contains(text, advice) || !strings.Contains(html.UnescapeString(m.HTML), command) {
			t.Errorf("an error of %d characters cuts the advice:\n%s", length, m.Text)
		}
		if !strings.Contains(text, "handshake: w") || len(text) > 2500 {
			t.Errorf("an error of %d characters makes %d bytes:\n%s", length, len(text), m.Text)
		}
	}
}

func TestNothingToTell(t *testing.T) {
	if _, err := mail.Render(mail.Digest{To: "a@example.org", Ongoing: 3}); !errors.Is(err, mail.ErrEmpty) {
		t.Fatalf("an empty digest: %v", err)
	}
}

// Of 400 hosts in one group and one in another, both are seen, and what isn't is counted.
func TestManyRows(t *testing.T) {
	d := mail.Digest{To: "ops@example.org", Sweep: sweep, Hosts: 1000}
	for i := range 400 {
		d.Raised = append(d.Raised, mail.Item{Host: fmt.Sprintf("web%03d", i), Statistic: "cpu.usage", Unit: "%", Value: 99,
			Limit: "above 90 %", Since: sweep})
		d.Ended = append(d.Ended, mail.Item{Host: fmt.Sprintf("old%03d", i), Statistic: "cpu.usage", Unit: "%",
			Limit: fmt.Sprintf("above %d %%", i), Since: ago(time.Hour), Ended: sweep})
	}
	d.Raised = append(d.Raised, mail.Item{Host: "zdb", Statistic: "swap.usage", Unit: "%", Limit: "above 1 %", Since: sweep})
	m := render(t, d)
	if n := strings.Count(m.Text, "\n  web"); n != 199 || !strings.Contains(m.Text, "zdb") {
		t.Errorf("%d rows of the large group", n)
	}
	for _, want := range []string{
		"(400)", "and 201 more", "Not in this mail: 201 more; muster status shows them.",
		"Not in this mail: 200 more; the table alerts in the database has them.",
	} {
		if !strings.Contains(m.Text, want) || !strings.Contains(m.HTML, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if n := strings.Count(m.Text, "\n  old"); n != 200 {
		t.Errorf("%d rows that are over", n)
	}
	if len(m.HTML) > 300_000 {
		t.Errorf("HTML of %d bytes", len(m.HTML))
	}
}

func TestIDIsMadeOfReceiverAndNotices(t *testing.T) {
	first := render(t, fleet())
	shuffled := fleet()
	slices.Reverse(shuffled.Raised)
	shuffled.Ongoing++
	if m := render(t, shuffled); m.ID != first.ID {
		t.Error("another order made another ID")
	}
	if !regexp.MustCompile(`^muster-[0-9a-f]{32}$`).MatchString(first.ID) {
		t.Errorf("ID %q", first.ID)
	}
	seen := map[string]string{first.ID: "the first"}
	for name, change := range map[string]func(*mail.Digest){
		"receiver":   func(d *mail.Digest) { d.To = "dev@example.org" },
		"notice":     func(d *mail.Digest) { d.Raised[0].Notice = "other" },
		"host":       func(d *mail.Digest) { d.Raised[0].Host = "other" },
		"instance":   func(d *mail.Digest) { d.Raised[0].Instance = "other" },
		"since":      func(d *mail.Digest) { d.Raised[0].Since = sweep },
		"one less":   func(d *mail.Digest) { d.Raised = d.Raised[1:] },
		"other side": func(d *mail.Digest) { d.Raised, d.Ended = d.Ended, d.Raised },
	} {
		d := fleet()
		change(&d)
		id := render(t, d).ID
		if other, known := seen[id]; known {
			t.Errorf("%s: the same ID as %s", name, other)
		}
		seen[id] = name
	}
	if before := fleet(); !slices.Equal(before.Raised, fleet().Raised) {
		t.Error("Render changed its digest")
	}
}

func TestClockThatWentBack(t *testing.T) {
	d := one()
	d.Raised[0].Since = sweep.Add(time.Hour)
	d.Ended = []mail.Item{{Host: "x", Statistic: "cpu.usage", Since: sweep, Ended: ago(time.Hour)}}
	m := render(t, d)
	if strings.Contains(m.Text, "-1h") || strings.Contains(m.Text, "lasted") || strings.Contains(m.Text, "(0s)") {
		t.Error(m.Text)
	}
}

func BenchmarkRender(b *testing.B) {
	d := fleet()
	for i := range 400 {
		item := d.Raised[i%6]
		item.Host = fmt.Sprint("host", i)
		d.Raised = append(d.Raised, item)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mail.Render(d); err != nil {
			b.Fatal(err)
		}
	}
}

// TestManyRecords: a mail shows a hundred of them, some of each kind, and says how many there are beside these.
func TestManyRecords(t *testing.T) {
	d := mail.Digest{To: "a@b", Sweep: sweep, Hosts: 3}
	for i := range 5000 {
		r := mail.Record{Notice: fmt.Sprint("n", i), Host: fmt.Sprint("h", i%3), Channel: "Security", Record: report.Record{
			Time: ago(time.Duration(i) * time.Second), Event: 1102, Message: strings.Repeat("m", 400),
		}}
		if i == 4999 {
			r.Record.Event = 4720
		}
		d.Records = append(d.Records, r)
	}
	d.Records = append(d.Records, mail.Record{Notice: "x", Host: "h1", More: 77}, mail.Record{Notice: "y", Host: "h1", More: 3})
	m := render(t, d)
	if m.Subject != "[muster] 5080 log records: h0, h2, h1" {
		t.Errorf("subject %q", m.Subject)
	}
	for _, text := range []string{m.Text, html.UnescapeString(m.HTML)} {
		for _, want := range []string{"Not in this mail: 4980 more log records, among them 80 of h1; muster logs shows them.", "and 4900 more", "Security 4720"} {
			if !strings.Contains(text, want) {
				t.Errorf("it does not say %q", want)
			}
		}
		if n := strings.Count(text, strings.Repeat("m", 400)); n != 100 {
			t.Errorf("%d records are shown", n)
		}
	}
	slices.Reverse(d.Records)
	if again := render(t, d); again != m {
		t.Error("the order of the records matters")
	}
	d.Records[0].More++
	if other := render(t, d); other.ID == m.ID {
		t.Error("a mail of another number of records has the same id")
	}
}
