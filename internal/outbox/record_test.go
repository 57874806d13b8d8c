package outbox

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/mail"
)

// records returns one of each state, encoded.
func records(t testing.TB) map[string]record {
	t.Helper()
	all := make(map[string]record)
	for _, state := range []string{waits, sent, refused} {
		r, err := compose(digest("Ops <ops@example.org>", sweep1, "a", "<b>&"), sweep2)
		if err != nil {
			t.Fatal(err)
		}
		switch state {
		case sent:
			r.end(sent, sweep2)
		case refused:
			r.refuse(sweep2, "550 no such mailbox", "check the receiver's address")
		}
		all[state] = r
	}
	return all
}

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	for state, r := range records(t) {
		value, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(keyOf(r.To, r.Sweep), value)
		if err != nil || got != r {
			t.Errorf("%s: %v\n%+v\n%+v", state, err, got, r)
		}
		if state != waits && (bytes.Contains(value, []byte("html")) || bytes.Contains(value, []byte("text"))) {
			t.Errorf("the mail is still kept: %s", value)
		}
	}
}

// The format is a promise to processes that are started later.
func TestRecordFormat(t *testing.T) {
	r := records(t)[refused]
	value, err := r.encode()
	want := `{"version":1,"state":"refused","to":"Ops <ops@example.org>","sweep":"2026-03-01T12:00:00Z",` +
		`"message":"` + r.Message + `","subject":"[muster] 2 alerts: host-<b>&, host-a","raised":2,"ended":0,` +
		`"created":"2026-03-01T12:01:00Z","done":"2026-03-01T12:01:00Z","error":"550 no such mailbox",` +
		`"advice":"check the receiver's address"}`
	if err != nil || string(value) != want {
		t.Errorf("%v\n%s\n%s", err, value, want)
	}
	if key := keyOf("ops@example.org", sweep1); key != "19ab8d68338990b605c1dae8cd1fab6b.1772366400000" {
		t.Errorf("key %s", key)
	}
}

func TestRecordsThatAreNone(t *testing.T) {
	r := records(t)[waits]
	key := keyOf(r.To, r.Sweep)
	good, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, replacement string) string {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("no %s in %s", old, good)
		}
		return strings.Replace(string(good), old, replacement, 1)
	}
	for name, value := range map[string]string{
		"empty":            "",
		"cut":              string(good[:len(good)/2]),
		"followed by more": string(good) + "{}",
		"no object":        `"a"`,
		"a newer version":  change(`"version":1`, `"version":2`),
		"no version":       change(`"version":1,`, ``),
		"another state":    change(`"waiting"`, `"away"`),
		"another receiver": change(`ops@`, `dba@`),
		"another sweep":    change(`12:00:00Z`, `12:00:01Z`),
		"no message":       change(`"text"`, `"texts"`),
		"no id":            change(`"message":"`+r.Message, `"message":"`),
		"too long":         string(good) + strings.Repeat(" ", MaxLetter),
	} {
		if got, err := decode(key, []byte(value)); err == nil || got != (record{}) {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
	}
}

// What can't be read costs nobody else their mail, is shown, and stays as it is.
func TestUnreadableRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		good := digest("ops@example.org", time.Now(), "a")
		post(t, open(t, table, s), Accepted, good)
		for i := range KeepPerReceiver + 5 {
			table.values[keyOf("x", time.Now().Add(-time.Duration(i)*time.Minute))] = []byte(`{"version":2}`)
		}
		table.values["no key of ours"] = []byte("\xff\x00")
		before := table.size()
		j := &journal{}
		o := openWith(t, Options{Table: table, Sender: s, Logger: j.logger()})
		stop := run(o)
		flush(t, o)
		state := o.State()
		if s.count() != 1 || state.RefusedKept != KeepPerReceiver+6 || len(state.Refused) != MaxRefused {
			t.Errorf("%d mails, %d refused, %d shown", s.count(), state.RefusedKept, len(state.Refused))
		}
		if r := state.Refused[0]; r.To != "" || !strings.Contains(r.Error, "can't be read") || r.Advice == "" {
			t.Errorf("%+v", r)
		}
		if !strings.Contains(j.String(), "version 2") || table.size() != before {
			t.Errorf("%d of %d records are left\n%s", table.size(), before, j)
		}
		time.Sleep(KeepRefused + 2*forgetEvery)
		synctest.Wait()
		stop()
		if table.size() != 0 {
			t.Errorf("%d records are kept for ever", table.size())
		}
	})
}

// A letter takes the place of a record that can't be read.
func TestUnreadableRecordIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		table.values[keyOf("ops@example.org", sweep1)] = []byte("{")
		o := open(t, table, s)
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		defer run(o)()
		flush(t, o)
		if state := o.State(); s.count() != 1 || state.RefusedKept != 0 {
			t.Errorf("%d mails, %+v", s.count(), state)
		}
	})
}

func TestCut(t *testing.T) {
	for text, want := range map[string]string{"": "", "1234567": "1234567", "12345678": "1234…", "123磁磁磁": "123…", "a\xff": "a\uFFFD"} {
		if got := cut(text, 7); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Whatever is in the table, it is read without harm, and what is read is written as it was read.
func FuzzDecode(f *testing.F) {
	for _, r := range records(f) {
		value, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(keyOf(r.To, r.Sweep), value)
		f.Add("", value)
	}
	f.Add("0.0", []byte(`{"version":1,"state":"sent","to":"\ud800","sweep":"9999-12-31T23:59:59Z"}`))
	f.Add("x.-9", []byte(`{"version":1,"state":"waiting","created":"0000-01-01T00:00:00+24:00"}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		r, err := decode(key, value)
		// Most inputs fail for their key alone: the rest is worth more.
		var named struct {
			To    string
			Sweep time.Time
		}
		if err != nil && json.Unmarshal(value, &named) == nil {
			key = keyOf(named.To, named.Sweep)
			r, err = decode(key, value)
		}
		if err != nil {
			u := unreadable(key, err, sweep2)
			if _, err := u.encode(); err != nil || u.State != refused || u.Created.After(sweep2) {
				t.Fatalf("%v: %+v", err, u)
			}
			return
		}
		again, err := r.encode()
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		if len(again) > MaxLetter {
			return // times and numbers may be written longer than they were
		}
		second, err := decode(key, again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if third, err := second.encode(); err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%s\n%s\n%v", again, third, err)
		}
		if m := r.message(); r.State == waits && (m.ID == "" || m.Text == "") {
			t.Fatalf("%+v", m)
		}
	})
}

// The mail that is kept is the mail: the bytes of the first attempt are those of the last.
func TestMessageSurvivesTheTable(t *testing.T) {
	d := digest("ops@example.org", sweep1, "a", "b\xff", "磁<&>\"\u2028")
	d.Ended = append(d.Ended, mail.Item{Notice: "e", Host: "h", Statistic: "swap.usage", Since: sweep1, Ended: sweep2})
	want, err := mail.Render(d)
	if err != nil {
		t.Fatal(err)
	}
	table := newMemory()
	post(t, open(t, table, newServer()), Accepted, d)
	for _, l := range open(t, table, newServer()).letters {
		if l.message() != want {
			t.Errorf("%+v\n%+v", l.message(), want)
		}
	}
}
