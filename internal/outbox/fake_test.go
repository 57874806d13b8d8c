package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"muster/internal/mail"
)

var (
	sweep1   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	sweep2   = sweep1.Add(time.Minute)
	errTable = errors.New("no space left on device")
)

// digest returns news for a receiver: one alert a notice.
func digest(to string, sweep time.Time, notices ...string) mail.Digest {
	d := mail.Digest{To: to, Sweep: sweep, Now: sweep.Add(3 * time.Second), Hosts: 60}
	for _, n := range notices {
		d.Raised = append(d.Raised, mail.Item{
			Notice: n, Host: "host-" + n, Statistic: "cpu.usage", Unit: "%", Limit: "above 90 %", Value: 97, Since: sweep,
		})
	}
	return d
}

// memory is a table. Its hooks are called before anything is done; an error is returned, and with done=true returned
// although it is done.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	puts   int
	put    func(key string) (err error, done bool)
	delete func(key string) (err error, done bool)
}

func newMemory() *memory { return &memory{values: make(map[string][]byte)} }

func (m *memory) All(context.Context) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values), nil
}

func (m *memory) Put(ctx context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	var err error
	done := true
	if m.put != nil {
		if err, done = m.put(key); err == nil {
			done = true
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if done {
		m.values[key] = slices.Clone(value)
	}
	return err
}

func (m *memory) Delete(ctx context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.delete != nil {
		if err, done := m.delete(key); err != nil && !done {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	delete(m.values, key)
	return nil
}

// fail makes each Put fail from now on, or work again.
func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put = func(string) (error, bool) { return err, false }
}

// failDelete makes each Delete fail from now on, or work again.
func (m *memory) failDelete(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delete = func(string) (error, bool) { return err, false }
}

func (m *memory) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.values)
}

// server is a mail server that answers by a function, or accepts.
type server struct {
	mu          sync.Mutex
	connections [][]string     // receivers, of each Send
	times       []time.Time    // of each Send
	accepted    map[string]int // by Message-ID
	mails       []mail.Message // accepted
	answer      func(m mail.Message) *mail.Error
	hang        chan struct{} // Send waits for it, or for its context
}

func newServer() *server { return &server{accepted: make(map[string]int)} }

func (s *server) Check(context.Context) error { return nil }

func (s *server) Send(ctx context.Context, messages ...mail.Message) error {
	s.mu.Lock()
	s.times = append(s.times, time.Now())
	var receivers []string
	for _, m := range messages {
		receivers = append(receivers, m.To)
	}
	s.connections = append(s.connections, receivers)
	answer, hang := s.answer, s.hang
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			answer = func(mail.Message) *mail.Error {
				return &mail.Error{Step: mail.StepContent, Temporary: true, Uncertain: true, Err: context.Cause(ctx)}
			}
		}
	}
	outcome := &mail.SendError{Errors: make([]*mail.Error, len(messages))}
	failed := false
	for i, m := range messages {
		if answer != nil {
			outcome.Errors[i] = answer(m)
		}
		if e := outcome.Errors[i]; e != nil {
			failed = true
			continue
		}
		s.accept(m)
	}
	if failed {
		return outcome
	}
	return nil
}

func (s *server) accept(m mail.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted[m.ID]++
	s.mails = append(s.mails, m)
}

func (s *server) does(answer func(m mail.Message) *mail.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *server) sends() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.connections)
}

// pauses returns the time between Sends.
func (s *server) pauses() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var between []time.Duration
	for i := 1; i < len(s.times); i++ {
		between = append(between, s.times[i].Sub(s.times[i-1]))
	}
	return between
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mails)
}

func failure(step mail.Step, code int) *mail.Error {
	return &mail.Error{
		Server: "mail.test:25", Step: step, Code: code, Temporary: code/100 != 5, Advice: "wait or act",
		Err: fmt.Errorf("%d because", code),
	}
}

// away is a server that nobody reaches.
func away(mail.Message) *mail.Error { return failure(mail.StepConnect, 0) }

// journal is a log, to be read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func open(t testing.TB, table Table, sender Sender) *Outbox {
	t.Helper()
	return openWith(t, Options{Table: table, Sender: sender})
}

func openWith(t testing.TB, o Options) *Outbox {
	t.Helper()
	b, err := New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run runs the outbox until stop is called, which waits for its end.
func run(o *Outbox) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { o.Run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

func post(t testing.TB, o *Outbox, want Outcome, d mail.Digest) {
	t.Helper()
	if got, err := o.Post(context.Background(), d); got != want || err != nil {
		t.Fatalf("posting to %.40s: %v, %v, want %v", d.To, got, err, want)
	}
}

func flush(t testing.TB, o *Outbox) {
	t.Helper()
	if err := o.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}
