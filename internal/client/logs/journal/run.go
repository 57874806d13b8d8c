package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// command is journalctl, which runs, or what was done instead.
type command struct {
	out    io.ReadCloser
	cancel context.CancelFunc
	unhook func() bool
	cmd    *exec.Cmd
	errors bounded
}

// start starts a program with a clean environment and no input. The command is to be stopped, or waited for.
func start(ctx context.Context, program string, args []string) (*command, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := &command{cancel: cancel, cmd: exec.CommandContext(ctx, program, args...)} //nolint:gosec // journalctl, found by find
	c.cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "TZ=UTC"}
	c.cmd.Dir = "/"
	c.cmd.Stderr = &c.errors
	c.cmd.WaitDelay = time.Second // a process that it left may hold its standard error
	isolate(c.cmd)
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	c.out = out
	c.unhook = context.AfterFunc(ctx, func() { out.Close() }) // a process that it left may hold its standard output
	return c, nil
}

// stop kills the program and waits for its end.
func (c *command) stop() {
	c.cancel()
	c.cmd.Wait() //nolint:errcheck // it was killed
	c.unhook()
}

// wait waits for the end of a program whose output has ended. The error says what the program said of it.
func (c *command) wait() error {
	defer c.cancel()
	c.unhook()
	err := c.cmd.Wait()
	if said := c.errors.String(); err != nil && said != "" {
		return fmt.Errorf("%s: %w: it said %q", c.cmd.Path, err, said)
	} else if err != nil {
		return fmt.Errorf("%s: %w", c.cmd.Path, err)
	}
	return nil
}

// bounded keeps the first bytes of what is written to it.
type bounded struct{ bytes.Buffer }

const maxErrors = 500

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), maxErrors-b.Len())])
	return len(p), nil
}

func (b *bounded) String() string { return strings.TrimSpace(b.Buffer.String()) }

// find returns the path of journalctl, or "". The system's own comes first: the client may run as root by a sudo that leaves
// PATH to the user.
func find() string {
	for _, path := range []string{"/usr/bin/journalctl", "/bin/journalctl"} {
		if _, err := exec.LookPath(path); err == nil {
			return path
		}
	}
	if path, err := exec.LookPath("journalctl"); err == nil && filepath.IsAbs(path) {
		return path
	}
	return ""
}

// opens reports whether journalctl can open a file.
func opens(ctx context.Context, program string, f *file) bool {
	c, err := start(ctx, program, []string{"--quiet", "--no-pager", "--lines=0", fileArgument(f.path)})
	if err != nil {
		return true
	}
	_, err = io.Copy(io.Discard, c.out)
	if ended := c.wait(); err == nil {
		err = ended
	}
	var exit *exec.ExitError
	return !errors.As(err, &exit)
}

// fileArgument names a file to journalctl, which takes it for a pattern.
func fileArgument(path string) string {
	return "--file=" + strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `{`, `\{`).Replace(path)
}
