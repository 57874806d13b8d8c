package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	restart = 200 * time.Millisecond // before a server that ended by itself is started again
	stopped = 45 * time.Second       // for a server that was asked to end
)

// server is muster serve, started again whenever it ends, as a service manager does. All of its processes write one log.
type server struct {
	program string
	dir     string
	log     *os.File
	clock   *clock

	mu      sync.Mutex
	current *incarnation  // nil: none runs
	changed chan struct{} // closed and replaced when current changes
	failed  error         // it could not be started
	byself  int           // how often it ended unasked
}

// incarnation is one process of the server.
type incarnation struct {
	command *exec.Cmd
	began   time.Time
	ended   chan struct{} // closed when it has ended
	asked   bool          // somebody killed it, or asked it to end; the server's mu is held
}

func newServer(program, dir string, c *clock) (*server, error) {
	log, err := os.OpenFile(dir+"/server.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &server{program: program, dir: dir, log: log, clock: c, changed: make(chan struct{})}, err
}

// supervise keeps a server running until ctx ends, and then kills the one that runs.
func (s *server) supervise(ctx context.Context) {
	for ctx.Err() == nil {
		i, err := s.start()
		if err != nil {
			s.mu.Lock()
			s.failed = err
			s.mu.Unlock()
			return
		}
		select {
		case <-i.ended:
		case <-ctx.Done():
			_ = i.command.Process.Kill()
			<-i.ended
		}
		s.mu.Lock()
		asked := i.asked
		if !asked && ctx.Err() == nil {
			s.byself++
		}
		s.mu.Unlock()
		s.become(nil)
		if !asked {
			pause(ctx, restart)
		}
	}
}

func (s *server) start() (*incarnation, error) {
	command := exec.Command(s.program, "serve", "-c", s.dir+"/muster.xml")
	command.Dir = s.dir
	command.Env = []string{"HOME=" + s.dir, "PATH=/usr/bin:/bin", "XDG_STATE_HOME=" + s.dir}
	command.Stdout, command.Stderr = s.log, s.log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	i := &incarnation{command: command, began: time.Now(), ended: make(chan struct{})}
	if err := s.clock.start(command); err != nil {
		return nil, err
	}
	go func() { // ends with the process; supervise waits for it
		defer close(i.ended)
		_ = command.Wait()
	}()
	s.become(i)
	return i, nil
}

func (s *server) become(i *incarnation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = i
	close(s.changed)
	s.changed = make(chan struct{})
}

// Await returns the process that runs, as soon as there is one.
func (s *server) Await(ctx context.Context) (*incarnation, error) {
	for {
		s.mu.Lock()
		current, changed, err := s.current, s.changed, s.failed
		s.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if current != nil && !current.over() {
			return current, nil
		}
		select {
		case <-changed:
		case <-time.After(time.Second): // failed is not a change
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// over tells whether the process has ended.
func (i *incarnation) over() bool {
	select {
	case <-i.ended:
		return true
	default:
		return false
	}
}

// Signal sends a process a signal that ends it, and waits until it has; false if it had ended before.
func (s *server) Signal(i *incarnation, signal syscall.Signal) bool {
	s.mu.Lock()
	if i.over() {
		s.mu.Unlock()
		return false
	}
	i.asked = true
	err := i.command.Process.Signal(signal)
	s.mu.Unlock()
	if err != nil {
		return false
	}
	select {
	case <-i.ended:
		return true
	case <-time.After(stopped):
		_ = i.command.Process.Kill()
		<-i.ended
		return false
	}
}

// HangUp sends SIGHUP to the process that runs, if it has for so long: it has to have asked for that first.
func (s *server) HangUp(old time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || s.current.asked || time.Since(s.current.began) < old {
		return false
	}
	return s.current.command.Process.Signal(syscall.SIGHUP) == nil
}

// Mark returns the length of the log: what is written from now on begins there.
func (s *server) Mark() int64 {
	info, err := s.log.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// Since returns what was logged after a mark.
func (s *server) Since(mark int64) ([]byte, error) {
	file, err := os.Open(s.log.Name())
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	text := make([]byte, max(0, info.Size()-mark))
	n, err := file.ReadAt(text, mark)
	if n == len(text) {
		err = nil
	}
	return text[:n], err
}

// errNoList says that the goroutines of a process are not known: the runtime broke down over the list, as it does now and then
// under the race detector where the signal meets it in code that is not Go's; or a sweep began in the same moment.
var errNoList = errors.New("the goroutines could not be counted")

// Goroutines ends the process and returns how many goroutines it had: the runtime lists them on SIGQUIT. It is asked
// right after the end of a sweep, when no visit is under way, and not before the server has found its database.
func (s *server) Goroutines(ctx context.Context, i *incarnation) (int, error) {
	mark := s.Mark()
	settled := func(text []byte) bool { return idle(text) && bytes.Contains(text, []byte(`"msg":"reports stored"`)) }
	if err := s.waitLog(ctx, mark, settled); err != nil {
		return 0, err
	}
	asked := s.Mark()
	if !s.Signal(i, syscall.SIGQUIT) {
		return 0, errors.New("the server did not end on SIGQUIT")
	}
	text, err := s.Since(mark)
	if err != nil {
		return 0, err
	}
	log, list := text[:asked-mark], text[asked-mark:]
	if at := bytes.Index(list, []byte("SIGQUIT")); at >= 0 {
		log = text[:int(asked-mark)+at]
	}
	n := len(regexp.MustCompile(`(?m)^goroutine \d+ `).FindAll(list, -1))
	switch {
	case bytes.Contains(list, []byte("panic during panic")):
		return 0, fmt.Errorf("%w: the runtime broke down over their list", errNoList)
	case !idle(log):
		return 0, fmt.Errorf("%w: a sweep began before they were listed", errNoList)
	case n == 0:
		return 0, fmt.Errorf("the server did not list its goroutines: %.200s", list)
	}
	return n, nil
}

// idle tells whether the last sweep in a log has ended, and left no host out because its visit of an earlier sweep still
// ran.
func idle(text []byte) bool {
	over := false
	for _, raw := range slices.Backward(bytes.Split(text, []byte("\n"))) {
		var line struct {
			Message string `json:"msg"`
			Kind    string
		}
		if json.Unmarshal(raw, &line) != nil {
			continue
		}
		switch {
		case line.Message == "sweep ended":
			over = true
		case line.Message == "sweep started":
			return over
		case line.Kind == "busy":
			return false
		}
	}
	return false
}

// waitLog waits until what is logged after a mark is as wanted. A file gives no signal: it is looked at again and again.
func (s *server) waitLog(ctx context.Context, mark int64, wanted func([]byte) bool) error {
	for {
		text, err := s.Since(mark)
		if err != nil {
			return err
		}
		if wanted(text) {
			return nil
		}
		if !pause(ctx, 10*time.Millisecond) {
			return fmt.Errorf("the server's log: %w; its end:\n%s", context.Cause(ctx), text[max(0, len(text)-3000):])
		}
	}
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, length time.Duration) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
