package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// started is a server that a test started.
type started struct {
	url    string
	client *http.Client
	stop   context.CancelFunc
	ended  chan error
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

func start(t *testing.T, serve func(context.Context, net.Listener) error) *started {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &started{url: "http://" + l.Addr().String(), stop: stop, ended: make(chan error, 1)}
	transport := &http.Transport{}
	s.client = &http.Client{Transport: transport, Timeout: patience}
	go func() { s.ended <- serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		transport.CloseIdleConnections()
	})
	return s
}

func (s *started) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(patience):
		t.Fatal("it does not end")
		return nil
	}
}

// request returns status and body, or why there are none.
func (s *started) request(method, path string) (int, string, error) {
	r, err := http.NewRequest(method, s.url+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := s.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// goroutines returns those that run code of net/http's server.
func goroutines() string {
	stacks := make([]byte, 1<<20)
	var of []string
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "net/http.(*conn).serve") || strings.Contains(stack, "net/http.(*Server)") {
			of = append(of, stack)
		}
	}
	return strings.Join(of, "\n\n")
}

// noGoroutines waits until the last instructions of connections are over: they say that they end just before they do.
func noGoroutines(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); goroutines() != ""; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("these still run:\n%s", goroutines())
		}
	}
}

func TestServeReads(t *testing.T) {
	f := newFixture()
	f.Handle("POST /act", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "acted") }))
	port, socket := start(t, f.Serve), start(t, f.ServeControl)
	for _, c := range []struct {
		method, path string
		port, socket int
	}{
		{"GET", "/", 200, 200}, {"GET", "/healthz", 200, 200}, {"HEAD", "/healthz", 200, 200}, {"GET", "/status", 200, 200},
		{"GET", "/metrics", 200, 200}, {"GET", "/metrics/hosts", 200, 200}, {"GET", "/nothing", 404, 404},
		{"POST", "/healthz", 405, 405}, {"DELETE", "/status", 405, 405}, {"PUT", "/nothing", 405, 405},
		{"POST", "/act", 405, 200}, {"GET", "/act", 404, 404},
	} {
		for s, want := range map[*started]int{port: c.port, socket: c.socket} {
			code, body, err := s.request(c.method, c.path)
			if err != nil || code != want {
				t.Errorf("%s %s on the %s: %d %q %v, want %d", c.method, c.path,
					map[bool]string{true: "port", false: "socket"}[s == port], code, body, err, want)
			}
		}
	}
	for _, s := range []*started{port, socket} {
		s.stop()
		if err := s.wait(t); err != nil {
			t.Error(err)
		}
		if _, _, err := s.request("GET", "/healthz"); err == nil {
			t.Error("it still answers")
		}
	}
	noGoroutines(t)
}

// TestServeFinishes: an answer under way when the server is stopped is finished; nothing new is taken.
func TestServeFinishes(t *testing.T) {
	f := newFixture()
	entered, proceed := make(chan struct{}), make(chan struct{})
	f.Handle("GET /slow", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-proceed
		if r.Context().Err() != nil {
			t.Error("it is broken off")
		}
		fmt.Fprint(w, "done")
	}))
	s := start(t, f.ServeControl)
	answered := make(chan string, 1)
	go func() {
		code, body, err := s.request("GET", "/slow")
		answered <- fmt.Sprintf("%d %s %v", code, body, err)
	}()
	<-entered
	s.stop()
	for end := time.Now().Add(patience); ; { // until it takes nothing new
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(end) {
			t.Fatal("it still takes connections")
		}
	}
	select {
	case err := <-s.ended:
		t.Fatalf("it did not wait for the answer: %v", err)
	default:
	}
	close(proceed)
	if got := <-answered; got != "200 done <nil>" {
		t.Errorf("the answer is %q", got)
	}
	if err := s.wait(t); err != nil {
		t.Error(err)
	}
	noGoroutines(t)
}

// TestServeBreaksOff: an answer that does not end on its own is broken off, and waited for.
func TestServeBreaksOff(t *testing.T) {
	f := newFixture()
	entered := make(chan struct{})
	left := false
	f.Handle("GET /endless", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		left = true // before serve returns, or the race detector says so
	}))
	s := start(t, f.ServeControl)
	answered := make(chan error, 1)
	go func() {
		_, _, err := s.request("GET", "/endless")
		answered <- err
	}()
	<-entered
	s.stop()
	if err := s.wait(t); err != nil {
		t.Error(err)
	}
	if !left {
		t.Error("it did not wait for the handler")
	}
	if err := <-answered; err == nil {
		t.Error("the answer looks whole")
	}
	noGoroutines(t)
}

// broken is a listener that fails.
type broken struct{ net.Listener }

var errBroken = errors.New("out of descriptors for ever")

func (broken) Accept() (net.Conn, error) { return nil, errBroken }

func TestServeSaysWhyItEnds(t *testing.T) {
	f := newFixture()
	s := start(t, func(ctx context.Context, l net.Listener) error { return f.Serve(ctx, broken{l}) })
	if err := s.wait(t); !errors.Is(err, errBroken) {
		t.Errorf("it ends with %v", err)
	}
	noGoroutines(t)
}

// TestServeBoundsHeaders: a request can't fill the memory.
func TestServeBoundsHeaders(t *testing.T) {
	s := start(t, newFixture().Serve)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	// net/http allows 4 kB more than it is told.
	_, _ = fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", maxHeader+5000))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, " 431 ") {
		t.Errorf("it answers %q, %v", line, err)
	}
}
