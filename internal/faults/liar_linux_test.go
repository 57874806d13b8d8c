package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/faults"
	"muster/internal/report"
	"muster/internal/seal"
	"muster/internal/sshtest"
)

// liar is a host whose client is not ours: it knows the key and the nonce, as any host does that was taken over, and sends
// what it likes. It lies in turn, and says the truth between its lies.
type liar struct {
	server *sshtest.Server
	user   string

	mu     sync.Mutex
	told   []faults.Told
	count  int
	honest bool   // it has given up lying
	frame  string // an earlier one, for a replay
}

const liarName = "liar"

func newLiar(t testing.TB, dir string, key ssh.PublicKey) *liar {
	t.Helper()
	l := &liar{user: "muster"}
	home := filepath.Join(dir, liarName)
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	l.server, err = sshtest.New(sshtest.Options{Home: home, User: l.user, Keys: []ssh.PublicKey{key}, Exec: l.run})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.server.Close() })
	return l
}

// Told returns the reports that it sent, and which of them were true.
func (l *liar) Told() []faults.Told {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.told)
}

// Repent has it say the truth from now on.
func (l *liar) Repent() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.honest = true
}

// run stands for every command: the client's place is the liar's, the rest is done as it should be.
func (l *liar) run(ctx context.Context, s *sshtest.Session) sshtest.Exit {
	if strings.Contains(s.Command, " ") || !strings.Contains(s.Command, "muster-client-") {
		return sshtest.Shell(ctx, s)
	}
	request, err := report.ReadRequest(bufio.NewReader(s.Stdin))
	if err != nil {
		return sshtest.Exit{Status: 1}
	}
	l.mu.Lock()
	tales := lies()
	tale := tales[l.count%len(tales)]
	if l.honest {
		tale = tales[0]
	}
	l.count++
	earlier := l.frame
	l.told = append(l.told, faults.Told{Visit: request.Visit, What: tale.name, Good: tale.good})
	l.mu.Unlock()
	frame, err := tale.tell(request, earlier)
	if err != nil {
		return sshtest.Exit{Status: 2}
	}
	if tale.good {
		l.mu.Lock()
		l.frame = frame
		l.mu.Unlock()
	}
	_, _ = io.WriteString(s.Stdout, frame)
	return sshtest.Exit{}
}

// lie is a way of answering.
type lie struct {
	name string
	good bool // no lie
	tell func(r *report.Request, earlier string) (frame string, err error)
}

// lies returns all ways, the truth first: a replay needs something to repeat.
func lies() []lie {
	return []lie{
		{"the truth", true, saying(nil, nil)},
		{"an earlier report again", false, func(r *report.Request, earlier string) (string, error) { return earlier, nil }},
		{"another host's name", false, saying(func(r *report.Report) { r.Host = "h1" }, nil)},
		{"another visit's id", false, saying(func(r *report.Report) { r.Visit = "20010101-000000-abcdef" }, nil)},
		{"a number that is none", false, saying(nil, func(d []byte) []byte { return bytes.Replace(d, []byte("4321"), []byte("NaN"), 1) })},
		{"an infinite number", false, saying(nil, func(d []byte) []byte { return bytes.Replace(d, []byte("4321"), []byte("1e999"), 1) })},
		{"the truth with a clock of yesterday", true, saying(func(r *report.Report) { r.Time = r.Time.Add(-24 * time.Hour) }, nil)},
		{"a name of the server's own", false, saying(nil, func(d []byte) []byte { return bytes.Replace(d, []byte(`"uptime"`), []byte(`"visit.failed"`), 1) })},
		{"the same statistic twice", false, saying(nil, func(d []byte) []byte {
			at := bytes.Index(d, []byte("<statistic "))
			end := at + bytes.Index(d[at:], []byte("/>")) + 2
			return slices.Concat(d[:end], d[at:end], d[end:])
		})},
		{"no XML", false, saying(nil, func([]byte) []byte { return []byte("<report") })},
		{"a document that expands too far", false, saying(nil, func([]byte) []byte { return make([]byte, report.MaxDocument+1) })},
		{"a byte changed on the way", false, func(r *report.Request, _ string) (string, error) {
			frame, err := saying(nil, nil)(r, "")
			at := max(len(frame)-20, 0)
			other := "A"
			if frame[at:at+1] == other {
				other = "B"
			}
			return frame[:at] + other + frame[at+1:], err
		}},
		{"a part of a report", false, func(r *report.Request, _ string) (string, error) {
			frame, err := saying(nil, nil)(r, "")
			return frame[:len(frame)/2], err
		}},
		{"a length beyond all bounds", false, func(*report.Request, string) (string, error) {
			return "MUSTER1 99999999999 " + strings.Repeat("ab", 32) + "\n", nil
		}},
		{"a megabyte of noise", false, func(*report.Request, string) (string, error) {
			return strings.Repeat("noise\n", 200_000), nil
		}},
	}
}

// saying returns a report, changed before it is written as XML and after, sealed and framed as it should be.
func saying(change func(*report.Report), spoil func([]byte) []byte) func(*report.Request, string) (string, error) {
	return func(request *report.Request, _ string) (string, error) {
		r := &report.Report{
			Visit: request.Visit, Host: request.Host, Time: time.Now(), Client: liarName, OS: runtime.GOOS, Arch: runtime.GOARCH,
			Statistics: []report.Statistic{{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: 4321}},
		}
		if change != nil {
			change(r)
		}
		document, err := r.Marshal()
		if err != nil {
			return "", err
		}
		if spoil != nil {
			document = spoil(document)
		}
		sealed, err := seal.Seal(request.Key, request.Nonce, seal.Binding{Host: request.Host, Visit: request.Visit, Part: uint32(request.Part)}, document)
		if err != nil {
			return "", err
		}
		var frame strings.Builder
		err = report.WriteFrame(&frame, sealed)
		return frame.String(), err
	}
}
