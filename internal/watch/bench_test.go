package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/alert"
	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/mail"
	"muster/internal/outbox"
	"muster/internal/report"
)

// mailServer is a mail server.
type mailServer struct {
	mu     sync.Mutex
	away   error
	later  string // a receiver that it refuses for now
	refuse string // a receiver that it refuses for good
	sent   []mail.Message
}

// set changes how it answers.
func (m *mailServer) set(change func(*mailServer)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

func (m *mailServer) Check(context.Context) error { return nil }

func (m *mailServer) Send(_ context.Context, messages ...mail.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	outcome := &mail.SendError{Errors: make([]*mail.Error, len(messages))}
	failed := false
	for i, message := range messages {
		switch {
		case m.away != nil:
			outcome.Errors[i] = &mail.Error{Step: mail.StepConnect, Temporary: true, Err: m.away}
		case message.To == m.refuse:
			outcome.Errors[i] = &mail.Error{Step: mail.StepRecipient, Code: 550, Err: errors.New("no such user")}
		case message.To == m.later:
			outcome.Errors[i] = &mail.Error{Step: mail.StepRecipient, Code: 451, Temporary: true, Err: errors.New("greylisted")}
		default:
			m.sent = append(m.sent, message)
			continue
		}
		failed = true
	}
	if failed {
		return outcome
	}
	return nil
}

// bench is a watch with its surroundings, a real outbox among them; a sweep is a minute.
type bench struct {
	t      *testing.T
	world  *world
	hosts  []config.Host
	server *mailServer
	mails  table // of the outbox
	muted  bool  // no mail server is configured
	log    bytes.Buffer
	now    time.Time

	process *process
	watch   *Watch
	outbox  *outbox.Outbox
	stop    func()
}

// table is a map that the outbox keeps its letters in.
type table struct {
	mu     sync.Mutex
	values map[string][]byte
}

func (m *table) All(context.Context) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values), nil
}

func (m *table) Put(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = slices.Clone(value)
	return nil
}

func (m *table) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	return nil
}

const (
	webMail = "web@example.org"
	dbMail  = "db@example.org"
	allMail = "all@example.org"
)

// onBench runs a test in a bubble.
func onBench(t *testing.T, test func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, world: newWorld(), server: new(mailServer), now: noon}
		b.mails.values = make(map[string][]byte)
		memory, failed := 80.0, 0.0
		limits := func(hold time.Duration) []config.Limit {
			return []config.Limit{
				{Statistic: "memory.usage", Unit: "%", Above: &memory, For: hold},
				{Statistic: alert.VisitFailed, Unit: "1", Above: &failed},
			}
		}
		b.hosts = []config.Host{
			{Name: "web1", Groups: []string{"web"}, Mail: []string{webMail}, Limits: limits(0)},
			{Name: "web2", Groups: []string{"web"}, Mail: []string{webMail}, Limits: limits(0)},
			{Name: "db1", Groups: []string{"db"}, Mail: []string{dbMail, webMail}, Limits: limits(2 * time.Minute)},
		}
		b.start()
		defer func() { b.stop() }()
		test(t, b)
	})
}

func (b *bench) start() {
	b.t.Helper()
	b.process = b.world.process(nil)
	o := Options{
		Settings: Settings{Hosts: b.hosts}, Reader: b.process, Table: b.process,
		Logger: slog.New(slog.NewTextHandler(&b.log, nil)), Now: func() time.Time { return b.now },
	}
	b.stop = func() {}
	if !b.muted {
		var err error
		b.outbox, err = outbox.New(b.t.Context(), outbox.Options{Table: &b.mails, Sender: b.server})
		if err != nil {
			b.t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { b.outbox.Run(ctx) })
		b.stop = func() { cancel(); running.Wait() }
		o.Letters, o.Others = b.outbox, []string{allMail}
	}
	var err error
	if b.watch, err = New(b.t.Context(), o); err != nil {
		b.t.Fatal(err)
	}
}

// restart begins a new process in the same world.
func (b *bench) restart() {
	b.t.Helper()
	b.stop()
	b.start()
}

// sweep makes one with the memory usage of each host; a negative one is a host that can't be visited. It returns what the
// outbox says then.
func (b *bench) sweep(memory map[string]float64, conditions ...entry.Condition) error {
	b.t.Helper()
	b.now = b.now.Add(time.Minute)
	s := &entry.Sweep{Time: b.now, Started: b.now, Hosts: len(memory)}
	b.world.add(sweepEntry(b.t, s))
	for _, host := range slices.Sorted(maps.Keys(memory)) {
		v := &entry.Visit{ID: fmt.Sprint(host, b.now.Unix()), Host: host, Sweep: b.now, Started: b.now}
		if usage := memory[host]; usage < 0 {
			v.Stage, v.Kind, v.Error, v.Advice = "dial", "refused", "connection refused", "start sshd"
		} else {
			v.Report = &report.Report{Host: host, Statistics: []report.Statistic{
				{Name: "memory.usage", Unit: "%", Kind: report.Gauge, Value: usage},
			}}
		}
		b.world.add(visitEntry(b.t, v))
	}
	s.Ended, s.Conditions = b.now.Add(time.Second), conditions
	b.world.add(sweepEntry(b.t, s))
	b.work()
	if b.muted {
		return nil
	}
	return b.outbox.Flush(b.t.Context())
}

// work evaluates what waits.
func (b *bench) work() {
	b.t.Helper()
	if !b.watch.work(b.t.Context(), b.process.read(1000)) {
		b.t.Fatal("work is given up")
	}
	projectAll(b.watch, b.process)
}

func (b *bench) mustSweep(memory map[string]float64, conditions ...entry.Condition) {
	b.t.Helper()
	if err := b.sweep(memory, conditions...); err != nil {
		b.t.Fatal(err)
	}
}

// want checks who got mails since the last call, in order of receivers, and returns them.
func (b *bench) want(receivers ...string) []mail.Message {
	b.t.Helper()
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	sent := b.server.sent
	b.server.sent = nil
	var to []string
	for _, m := range sent {
		to = append(to, m.To)
	}
	slices.Sort(to)
	slices.Sort(receivers)
	if !slices.Equal(to, receivers) {
		b.t.Fatalf("mails went to %q, want %q", to, receivers)
	}
	return sent
}

func mentions(t *testing.T, m mail.Message, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(m.Subject+"\n"+m.Text, word) {
			t.Errorf("the mail lacks %q:\n%s\n%s", word, m.Subject, m.Text)
		}
	}
}

func (b *bench) nothingLeft() {
	b.t.Helper()
	for host, alerts := range b.watch.state.hosts() {
		for _, e := range alerts {
			b.t.Errorf("of %s there is still %+v", host, e)
		}
	}
}
