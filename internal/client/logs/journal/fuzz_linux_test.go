package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"muster/internal/report"
)

// written returns an entry in the export format, every field with its length.
func written(e *entry) []byte {
	var b []byte
	for _, f := range e.fields {
		b = append(append(b, f.name...), '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(f.value)))
		b = append(append(b, f.value...), '\n')
	}
	return append(b, '\n')
}

// Whatever journalctl says: no entry is larger than its bounds, what is read is read alike in pieces of any size, and
// written anew it is the same entry; its JSON is JSON.
func FuzzExport(f *testing.F) {
	for _, seed := range []string{
		"", "\n\n", "A=b\n\n", "A=b\nB=\nA=c\n\nC=d\n\n", "A\n\x03\x00\x00\x00\x00\x00\x00\x00x\ny\n\n", "A\n\xff\xff\xff\xff\xff\xff\xff\xffx",
		"a=b\n\n", "=b\n\n", "A=b\n", "A", "A=\xff\x00\n\n", "A\n\x01\x00\x00\x00\x00\x00\x00\x00xy\n", strings.Repeat("A", 65) + "=\n\n",
		"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=3\nMESSAGE=x\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		whole, pieces := newParser(bytes.NewReader(text)), newParser(iotest.OneByteReader(bytes.NewReader(text)))
		m := maker{raw: true, users: map[string]string{}}
		var e, same, again entry
		for {
			err := whole.next(&e)
			if other := pieces.next(&same); fmt.Sprint(err) != fmt.Sprint(other) {
				t.Fatalf("%v, and in pieces %v", err, other)
			}
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errForm) {
					t.Fatal(err)
				}
				return
			}
			if len(e.fields) == 0 || len(e.fields) > maxFields+maxOwnFields || len(e.text) > maxKept+maxOwnKept+(maxFields+maxOwnFields)*maxName {
				t.Fatalf("%d fields, %d bytes", len(e.fields), len(e.text))
			}
			if err := newParser(bytes.NewReader(written(&e))).next(&again); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(written(&e), written(&again)) || !bytes.Equal(written(&e), written(&same)) {
				t.Fatalf("%q and %q", written(&e), written(&again))
			}
			at, _ := markOf(&e)
			r := m.record(&e, mark{sequence: max(1, at.sequence), time: at.time})
			if !json.Valid([]byte(r.Raw)) && printable(e.text) {
				t.Fatalf("%q", r.Raw)
			}
			l := report.Logs{Channel: report.Journal, Epoch: 1, Records: []report.Record{r}, Next: report.Cursor{Epoch: 1, Record: r.ID}}
			if err := l.Clean(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestEntryBeyondItsBounds(t *testing.T) {
	var b bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&b, "F%d=x\n", i)
	}
	fmt.Fprintf(&b, "\nMESSAGE=%s\nA=b\n\n", strings.Repeat("x", 1<<20))
	b.WriteString("CORE\n")
	b.Write(binary.LittleEndian.AppendUint64(nil, 2<<20))
	b.WriteString(strings.Repeat("y", 2<<20) + "\nA=b\n\n")
	for i := range 10 {
		fmt.Fprintf(&b, "F%d=%s\n", i, strings.Repeat("x", 100_000))
	}
	b.WriteString("\nA=b\n\n")
	p := newParser(&b)
	var e entry
	for i, want := range []struct {
		fields, most int
		cut          bool
	}{{maxFields, 10_000, true}, {2, maxValue + 20, true}, {2, maxValue + 20, true}, {10, maxKept + 20, true}, {1, 2, false}} {
		if err := p.next(&e); err != nil {
			t.Fatal(err)
		}
		if len(e.fields) != want.fields || len(e.text) > want.most || e.cut != want.cut {
			t.Errorf("entry %d: %d fields, %d bytes, cut: %v", i, len(e.fields), len(e.text), e.cut)
		}
	}
	if cap(e.text) > 2*maxKept {
		t.Errorf("%d bytes are held", cap(e.text))
	}
}

func FuzzPosition(f *testing.F) {
	f.Add("")
	f.Add("1 - 0")
	f.Add("1 abc zz abc:5,ho9x33o8f4,xtf7b001sz, def:0,1,0,s ghi:1,2,3,c")
	f.Add("1 - 0 abc:5,ho9x33o8f4,xtf7b001sz,,9")
	f.Add("1 - -1")
	f.Add("2 - 0")
	f.Add("1 " + strings.Repeat("a", report.MaxPosition) + " 0")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePosition(text)
		if err != nil {
			return
		}
		once := p.String()
		q, err := parsePosition(once)
		if err != nil {
			t.Fatalf("%q becomes %q: %v", text, once, err)
		}
		if twice := q.String(); once != twice || len(once) > report.MaxPosition && len(q.places) > 0 {
			t.Fatalf("%q becomes %q and then %q", text, once, twice)
		}
	})
}

// However many streams there are a position is short. Those that ended first are left out, and not read again.
func TestPositionOfManyStreams(t *testing.T) {
	p := position{current: "stream-99", places: map[string]place{}}
	for i := range 100 {
		p.places[fmt.Sprintf("stream-%d", i)] = place{
			sequence: 1 << 40, time: noon().UnixMicro() + int64(i), epoch: 1<<52 - 1, closed: i < 95,
		}
	}
	text := p.String()
	if len(text) > report.MaxPosition {
		t.Fatalf("%d bytes", len(text))
	}
	q, err := parsePosition(text)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(q.places); n < 15 || q.watermark != noon().UnixMicro()+int64(99-n) || q.places["stream-99"].sequence != 1<<40 {
		t.Errorf("%d streams, watermark %d: %s", n, q.watermark, text)
	}
}

func TestManyStreamsOnce(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	x := newExport()
	want := make(map[string]int)
	for i := range 40 {
		word := fmt.Sprint("boot", i)
		want[word] = 2
		x.lines(word, 2).remote(t, filepath.Join(dir, fmt.Sprintf("system@%d.journal", i)))
	}
	x.lines("now", 2).remote(t, filepath.Join(dir, "system.journal"))
	want["now"] = 2
	good(t, k.readAll(dir))
	k.once(want)
	if again := good(t, ask(t, dir, k.q)); len(again.Records) > 0 || again.More || len(k.gaps) > 0 {
		t.Errorf("read again: %+v, gaps %+v", again, k.gaps)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("LPKSHHRH"))
	f.Add(append([]byte("LPKSHHRH"), make([]byte, 250)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		if err == nil && (len(h.stream) != 32 || h.head > h.tail || int64(h.tail) < 0) {
			t.Errorf("%+v", h)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	x := newExport()
	const n = 1000
	x.lines("sshd", n)
	text := x.Bytes()
	text = bytes.ReplaceAll(text, []byte("_PID=7\n"), []byte("_PID=7\n__CURSOR=s=ab;i=1;b=cd;m=1;t=2;x=3\n_UID=0\n_GID=0\n_COMM=sshd\n"+
		"_EXE=/usr/sbin/sshd\n_CMDLINE=sshd: root [priv]\n_CAP_EFFECTIVE=1ffffffffff\n_SYSTEMD_CGROUP=/system.slice/ssh.service\n"+
		"_SYSTEMD_UNIT=ssh.service\n_SYSTEMD_SLICE=system.slice\n_TRANSPORT=syslog\nSYSLOG_FACILITY=10\n_HOSTNAME=web1\n"))
	for _, raw := range []bool{false, true} {
		b.Run(fmt.Sprint("raw=", raw), func(b *testing.B) {
			m := maker{raw: raw, users: make(map[string]string)}
			b.ReportAllocs()
			b.SetBytes(int64(len(text) / n))
			var e entry
			p := newParser(bytes.NewReader(text))
			for range b.N {
				if err := p.next(&e); err != nil {
					p = newParser(bytes.NewReader(text))
					continue
				}
				at, _ := markOf(&e)
				m.record(&e, mark{sequence: max(1, at.sequence), time: at.time})
			}
		})
	}
}

// BenchmarkRead reads a journal with journalctl. "ours" is the CPU of this process, "journalctl" that of its own.
func BenchmarkRead(b *testing.B) {
	dir := folder(b)
	const n = 20_000
	newExport().lines("sshd", n).remote(b, filepath.Join(dir, "system.journal"))
	q := all()
	ours, theirs := cpu(b)
	for range b.N {
		if got := len(good(b, ask(b, dir, q)).Records); got != n {
			b.Fatalf("%d records", got)
		}
	}
	endOurs, endTheirs := cpu(b)
	entries := float64(n * b.N)
	b.ReportMetric(entries/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64((endOurs-ours).Nanoseconds())/entries, "ours-ns/entry")
	b.ReportMetric(float64((endTheirs-theirs).Nanoseconds())/entries, "journalctl-ns/entry")
	b.ReportMetric(0, "ns/op")
}

// Whoever writes an entry of more fields, or larger ones, than are kept, does not get rid of what journald says of him.
func TestWhatJournaldSaysIsKept(t *testing.T) {
	many := strings.Builder{}
	for i := range 2 * maxFields {
		fmt.Fprintf(&many, "F%d=x\n", i)
	}
	for name, own := range map[string]string{
		"many fields":      many.String(),
		"as many as go":    many.String()[:strings.Index(many.String(), fmt.Sprintf("F%d=", report.MaxFields))],
		"large fields":     strings.Repeat("F="+strings.Repeat("x", maxValue)+"\n", 10),
		"many large names": strings.Repeat(strings.Repeat("F", maxName)+"="+strings.Repeat("<", 2000)+"\n", report.MaxFields),
	} {
		t.Run(name, func(t *testing.T) {
			var e entry
			text := "__CURSOR=s=ab;i=1\n__REALTIME_TIMESTAMP=3\nSYSLOG_IDENTIFIER=sshd\nMESSAGE=x\n" + own + "_EXE=/home/eve/sshd\n_UID=1000\n\n"
			if err := newParser(strings.NewReader(text)).next(&e); err != nil {
				t.Fatal(err)
			}
			m := maker{raw: true, users: map[string]string{"1000": "eve"}}
			r := report.CleanRecord(m.record(&e, mark{"ab", 1, 3}))
			if r.User != "eve" || !r.Altered {
				t.Errorf("the user is %q, altered: %v", r.User, r.Altered)
			}
			for _, want := range []report.Field{{Name: "_EXE", Value: "/home/eve/sshd"}, {Name: "_UID", Value: "1000"}} {
				if !slices.Contains(r.Data, want) {
					t.Errorf("%v is not there", want)
				}
			}
		})
	}
}
