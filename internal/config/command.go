package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	mostComplaint = 4 << 10     // bytes of standard error that are kept
	lastBreath    = time.Second // for which output is waited for once a command has ended, or was killed
)

// run runs a command to its end, or to that of its time or of ctx, and returns what it printed. Then it is killed, and all
// that it began with it, as far as the system knows what that is.
func (c Command) run(ctx context.Context) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	output := &bounded{most: c.MaxBytes, full: cancel}
	complaint := &tail{most: mostComplaint}
	command := exec.CommandContext(limited, c.Words[0], c.Words[1:]...) //nolint:gosec // the administrator's own words
	command.Dir, command.Env = c.Folder, c.environment()
	command.Stdout, command.Stderr = output, complaint
	command.WaitDelay = lastBreath
	ownGroup(command)
	err := command.Run()
	switch {
	case output.over:
		return nil, fmt.Errorf("it prints more than %s", spellSize(int64(c.MaxBytes)))
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return nil, fmt.Errorf(`it did not end within %s: say timeout="…" if it takes longer`, spell(c.Timeout))
	case errors.Is(err, exec.ErrWaitDelay):
		return nil, errors.New("it ended, but something that it began still holds its output")
	case err != nil:
		return nil, c.failed(err, complaint.last())
	}
	return output.content.Bytes(), nil
}

// failed says why a command failed, with what it complained of last.
func (c Command) failed(err error, complaint string) error {
	var start *exec.Error
	var path *os.PathError
	switch {
	case errors.As(err, &start):
		return fmt.Errorf("it can't be run: %w", start.Err)
	case errors.As(err, &path):
		return fmt.Errorf("it can't be run: %w", path.Err)
	case complaint != "":
		return fmt.Errorf("it failed (%w): %s", err, complaint)
	}
	return fmt.Errorf("it failed (%w), and said nothing on its standard error", err)
}

// environment returns the server's own, without what holds secrets of the configuration, and without the socket by which
// systemd is told that the server is ready, which is not for others to say.
func (c Command) environment() []string {
	return c.allowed(runtime.GOOS, os.Environ())
}

// allowed returns those of a system's variables that the command may have. On Windows their names have no case.
func (c Command) allowed(system string, variables []string) []string {
	without := append(slices.Clone(c.Without), "NOTIFY_SOCKET")
	return slices.DeleteFunc(variables, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.ContainsFunc(without, func(secret string) bool {
			return name == secret || system == "windows" && strings.EqualFold(name, secret)
		})
	})
}

// bounded keeps what is written up to a bound; beyond it calls full.
type bounded struct {
	content bytes.Buffer
	most    int
	over    bool
	full    func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.over || b.content.Len()+len(p) > b.most {
		b.over = true
		b.full()
		return 0, errors.New("too much")
	}
	return b.content.Write(p)
}

// tail keeps the end of what is written.
type tail struct {
	content []byte
	most    int
}

func (t *tail) Write(p []byte) (int, error) {
	t.content = append(t.content, p...)
	if over := len(t.content) - t.most; over > 0 {
		t.content = append(t.content[:0], t.content[over:]...)
	}
	return len(p), nil
}

// last returns the last line that holds something, for a message.
func (t *tail) last() string {
	lines := strings.Split(strings.TrimSpace(string(t.content)), "\n")
	return shortened(strings.Map(func(c rune) rune {
		if unprintable(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(strings.TrimSpace(lines[len(lines)-1]), "?")), longestMessage/2)
}
