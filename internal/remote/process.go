package remote

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
)

// lingering is how long Wait lets output arrive after the exit status. A program that the command left behind holds the
// output open for as long as it lives, and sshd on Windows may do so for ever.
const lingering = time.Second

// maxStream bounds what a command may print to each of its two streams: more than any report, and any log of a client.
const maxStream = 8 << 20

var errFlood = fmt.Errorf("the host sent more than %d MiB as the output of one command", maxStream>>20)

// ErrNoStatus says that a command ended and the host did not say how.
var ErrNoStatus = errors.New("the command ended without an exit status")

// SignalError says that a command was ended by a signal.
type SignalError struct {
	Signal string // without SIG, as in KILL; the host's word
}

func (e *SignalError) Error() string {
	return fmt.Sprintf("the command was ended by the signal %.32q", e.Signal)
}

// Process is a command under way. Stdin must be closed when all is written. Stdout and Stderr must both be read, or the
// command may block when 2 MiB of one of them wait; they end with io.EOF when the command closes them, and with a
// *failure.Error when the connection is lost, or ended because one of them had more than 8 MiB. Wait must be called.
type Process struct {
	Stdin  io.WriteCloser
	Stdout io.Reader
	Stderr io.Reader

	conn     *Conn
	channel  ssh.Channel
	release  func() bool   // ends the watch over the context
	reported chan struct{} // closed when the host has said how the command ended
	closed   chan struct{} // closed when the channel is

	// How the command ended, as the host said; complete when reported or closed is closed.
	known  bool
	status int
	signal *SignalError

	once   sync.Once
	result int
	err    error
}

// Start starts a command, which the user's login shell on the host interprets. It returns when the host has accepted the
// command. The process ends, with its connection, when ctx does; the watch ends with Wait. A host that refuses to run
// commands is failure.NoShell. A login shell that refuses (nologin), or a forced command, cannot be told from the command
// itself: it shows in output and status.
func (c *Conn) Start(ctx context.Context, command string) (*Process, error) {
	p := &Process{
		conn: c, release: c.begin(ctx),
		reported: make(chan struct{}), closed: make(chan struct{}),
	}
	channel, err := c.openSession(failure.NoShell, p.note, func() { close(p.closed) })
	if err != nil {
		p.release()
		return nil, err
	}
	p.channel = channel
	accepted, err := channel.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{command}))
	if err == nil && accepted {
		p.Stdin = &input{channel: channel, conn: c}
		p.Stdout = &output{Reader: channel, process: p}
		p.Stderr = &output{Reader: channel.Stderr(), process: p}
		return p, nil
	}
	_ = channel.Close()
	p.release()
	if err != nil {
		return nil, c.explain(failure.Disconnected, fmt.Errorf("start a command: %w", err))
	}
	return nil, c.explain(failure.NoShell, errors.New("the host refuses to run a command"))
}

// note takes what the host says of the process (RFC 4254, section 6.10). The first word holds.
func (p *Process) note(request *ssh.Request) {
	switch request.Type {
	case "exit-status":
		if len(request.Payload) == 4 && !p.known {
			p.status = int(binary.BigEndian.Uint32(request.Payload))
			p.known = true
			close(p.reported)
		}
	case "exit-signal":
		var message struct {
			Signal     string
			CoreDumped bool
			Message    string
			Language   string
		}
		if ssh.Unmarshal(request.Payload, &message) == nil && !p.known {
			p.signal = &SignalError{Signal: message.Signal}
			p.known = true
			close(p.reported)
		}
	}
	if request.WantReply {
		_ = request.Reply(false, nil)
	}
}

// Wait waits until the command has ended and returns its exit status, 0 to 255 on most hosts. What the command wrote and
// nobody has read a second after its end is lost: read Stdout and Stderr as far as they are wanted before Wait, or in
// other goroutines. A command that a signal ended is failure.ClientCrashed, caused by a *SignalError; one of which the host
// does not say how it ended is failure.ClientFailed, caused by ErrNoStatus; one that was cut off is what its connection ended of. Further calls return the same.
func (p *Process) Wait() (int, error) {
	p.once.Do(func() {
		defer p.release()
		select {
		case <-p.closed:
		case <-p.reported:
			linger := time.NewTimer(lingering)
			defer linger.Stop()
			select {
			case <-p.closed:
			case <-linger.C:
			}
		}
		_ = p.channel.Close()
		p.result, p.err = p.outcome()
	})
	return p.result, p.err
}

// Crash says how a command crashed that ended with an exit status, or nothing if it did not: a shell has 128 and the number
// of the signal that ended its command (POSIX.1-2017, Shell, 2.8.2), Windows the code of the exception (NTSTATUS).
func Crash(status int) string {
	const exception = 0xC0000000 // the severity "error" in NTSTATUS
	switch {
	case 128 < status && status <= 128+64:
		return fmt.Sprintf("the command was ended by signal %d", status-128)
	case exception <= status:
		return fmt.Sprintf("the command broke down with the exception %#x", status)
	}
	return ""
}

func (p *Process) outcome() (int, error) {
	select {
	case <-p.reported:
	default:
		if !p.conn.isOver() && p.conn.alive() {
			return -1, failure.New("", failure.ClientFailed, ErrNoStatus)
		}
		return -1, p.conn.explain(failure.Disconnected, ErrNoStatus)
	}
	if p.signal != nil {
		return -1, failure.New("", failure.ClientCrashed, p.signal)
	}
	return p.status, nil
}

// input is a process's standard input.
type input struct {
	mu      sync.Mutex
	channel ssh.Channel
	conn    *Conn
}

func (in *input) Write(data []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n, err := in.channel.Write(data)
	if err != nil {
		err = in.conn.explain(failure.ClientFailed, fmt.Errorf("the command reads no more: %w", err))
	}
	return n, err
}

// Close ends the input. That the process is gone already is no error.
func (in *input) Close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.channel.CloseWrite(); err != nil && !errors.Is(err, io.EOF) {
		return in.conn.explain(failure.Disconnected, err)
	}
	return nil
}

// output is one of a process's streams. The library ends it with io.EOF however it ended.
type output struct {
	io.Reader
	process *Process
	seen    int64
}

// Read ends the connection where there is more than anybody wants to have. A host that prints without end would otherwise
// keep us busy for as long as its command may run.
func (out *output) Read(data []byte) (int, error) {
	n, err := out.Reader.Read(data)
	if out.seen += int64(n); out.seen > maxStream {
		out.process.conn.wire.end(errFlood)
		return n, out.process.conn.explain(failure.Noise, errFlood)
	}
	if err != nil && out.process.conn.isOver() && !out.process.hasEnded() {
		err = out.process.conn.explain(failure.Disconnected, err)
	}
	return n, err
}

// hasEnded tells, of a process whose connection is over, whether the host said before how it ended: some servers hang up
// right after that.
func (p *Process) hasEnded() bool {
	<-p.closed // comes with the connection's end, and after all that the host has said
	select {
	case <-p.reported:
		return true
	default:
		return false
	}
}
