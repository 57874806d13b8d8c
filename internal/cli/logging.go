package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"muster/internal/config"
)

// logging is the log of a command: where it goes and from which level on may change while it runs.
type logging struct {
	*slog.Logger
	level  slog.LevelVar
	outlet outlet
}

// newLogging returns the log that the configuration asks for; without a file it goes to stderr. Where a person watches
// progress there, and the level is info, errors alone are logged: the summary says the rest. Close closes the file.
func newLogging(c config.Server, stderr io.Writer, watched bool) (*logging, error) {
	l := &logging{outlet: outlet{stderr: stderr}}
	p, err := l.prepare(c)
	if err == nil {
		err = l.adopt(p)
	}
	if err != nil {
		return nil, err
	}
	if c.LogFile == "" && l.level.Level() == slog.LevelInfo && watched {
		l.level.Set(slog.LevelError)
	}
	options := &slog.HandlerOptions{Level: &l.level, ReplaceAttr: spelt}
	l.Logger = slog.New(slog.NewTextHandler(&l.outlet, options))
	if c.LogFormat == "json" {
		l.Logger = slog.New(slog.NewJSONHandler(&l.outlet, options))
	}
	return l, nil
}

// prepared is a change of a log that can be made.
type prepared struct {
	level slog.Level
	path  string
	file  *os.File // nil: standard error
}

// prepare opens the file that a configuration names. What it returns is for adopt, or to be closed.
func (l *logging) prepare(c config.Server) (p prepared, err error) {
	if err := p.level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return p, err
	}
	if p.path = c.LogFile; p.path != "" {
		p.file, err = openLog(p.path)
	}
	return p, err
}

// adopt makes a change. The format stays.
func (l *logging) adopt(p prepared) error {
	l.level.Set(p.level)
	return l.outlet.change(p.path, p.file)
}

// Close closes the file of a change that is not made.
func (p prepared) Close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

func openLog(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	return file, nil
}

// reopen opens the file anew under its name, for those who have moved it away.
func (l *logging) reopen() error { return l.outlet.reopen() }

// Close closes the file. What is logged after that goes to standard error.
func (l *logging) Close() error { return l.outlet.change("", nil) }

// outlet is where a log goes.
type outlet struct {
	stderr io.Writer

	mu   sync.Mutex
	path string
	file *os.File // nil: to stderr
}

func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return o.stderr.Write(p)
	}
	return o.file.Write(p)
}

// change has the log go to a file, which it owns from now on; nil: to stderr.
func (o *outlet) change(path string, file *os.File) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.file
	o.path, o.file = path, file
	if before == nil {
		return nil
	}
	return before.Close()
}

func (o *outlet) reopen() error {
	o.mu.Lock()
	path := o.path
	o.mu.Unlock()
	if path == "" {
		return nil
	}
	file, err := openLog(path)
	if err != nil {
		return err
	}
	return o.change(path, file)
}
