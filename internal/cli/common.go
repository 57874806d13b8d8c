package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"golang.org/x/term"

	"muster/internal/config"
)

// systemConfig is read where no file is named and the current folder has none.
const systemConfig = "/etc/muster/muster.xml"

// configFlag is the option that every command with a configuration has.
type configFlag struct {
	Config string `short:"c" placeholder:"FILE" help:"The configuration. Default: muster.xml in this folder, else /etc/muster/muster.xml."`
}

// load reads the configuration that the option names, with all its hosts. Its errors have the exit status of a mistake in it.
func (f configFlag) load(ctx context.Context) (*config.Config, error) {
	return f.loadBy(ctx, new(config.Loader))
}

func (f configFlag) loadBy(ctx context.Context, loader *config.Loader) (*config.Config, error) {
	return f.read(func(path string) (*config.Config, error) { return loader.LoadContext(ctx, path) })
}

// loadSettings is load for commands that ask for no hosts: none are looked for by running a command.
func (f configFlag) loadSettings() (*config.Config, error) {
	return f.read(config.LoadSettings)
}

func (f configFlag) read(load func(path string) (*config.Config, error)) (*config.Config, error) {
	path := f.Config
	if path == "" {
		path = "muster.xml"
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			path = systemConfig
		}
	}
	c, err := load(path)
	var mistakes config.Mistakes
	switch {
	case errors.Is(err, context.Canceled):
		return nil, err
	case errors.As(err, &mistakes):
		return nil, misuse(fmt.Errorf("the configuration has mistakes:\n%w", err))
	case errors.Is(err, fs.ErrNotExist) && f.Config == "":
		return nil, misuse(errors.New("there is no muster.xml here and no " + systemConfig +
			": write one with muster init, or name one with -c"))
	case err != nil:
		return nil, misuse(fmt.Errorf("configuration: %w", err))
	}
	return c, nil
}

// loadFleet reads the configuration that the option names, and refuses one without hosts before anything is written.
func (f configFlag) loadFleet(ctx context.Context) (*config.Config, error) {
	return f.fleetLoader()(ctx)
}

// fleetLoader returns a loadFleet for a server, which reads its configuration again and again.
func (f configFlag) fleetLoader() func(context.Context) (*config.Config, error) {
	loader := new(config.Loader)
	return func(ctx context.Context) (*config.Config, error) {
		c, err := f.loadBy(ctx, loader)
		if err == nil && len(c.Hosts) == 0 {
			return nil, &exitError{exitUsage, fmt.Errorf("no hosts: %s names none: add one, as in <host address=\"web1.example.org\"/>", c.File)}
		}
		return c, err
	}
}

// spelt makes a duration a text with its unit, as in 10.892s, in both formats: JSON alone would have it in nanoseconds
// without saying so.
func spelt(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindDuration {
		return a
	}
	d := a.Value.Duration()
	if d >= time.Second || d <= -time.Second {
		d = d.Round(time.Millisecond)
	} else {
		d = d.Round(time.Microsecond)
	}
	return slog.String(a.Key, d.String())
}

// tellWarnings says what is doubtful about a configuration: to the person who watches, whose terminal gets no warnings from
// the log, and to the log otherwise, or where it is a file.
func tellWarnings(c *config.Config, log *slog.Logger, stderr io.Writer, watched bool) {
	for _, warning := range c.Warnings {
		if watched {
			fmt.Fprintf(stderr, "muster: warning: %v\n", warning)
		}
		if !watched || c.Server.LogFile != "" {
			log.Warn("configuration", "warning", warning.String())
		}
	}
}

// isTerminal reports whether a person watches w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// widthOf returns how many cells wide a terminal is; 0 where w is none.
func widthOf(w io.Writer) int {
	if !isTerminal(w) {
		return 0
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return 0
	}
	return width
}

func writeJSON(w io.Writer, v any) error {
	encoder := newEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
