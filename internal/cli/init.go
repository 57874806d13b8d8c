package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"muster/internal/config"
)

type initCommand struct {
	File string `arg:"" optional:"" default:"muster.xml" help:"Where to write it; an existing file is never overwritten."`

	Config string `short:"c" hidden:""` // what other commands have; here it is a slip
}

// Help is shown by muster init --help.
func (initCommand) Help() string {
	return `Writes a configuration with comments, to be edited: name your hosts, your user and your key, then "muster run". Before
that it names no host, and nothing is visited.
Only you can read the file, so that it may hold a password.

Exit status: 0 written; 2 the file exists or can't be created; 3 it could not be written.`
}

// Run writes the configuration.
func (c initCommand) Run(env Env) error {
	if c.Config != "" {
		return misuse(fmt.Errorf("init takes the file without -c: muster init %s", c.Config))
	}
	file, err := os.OpenFile(c.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return misuse(fmt.Errorf("%s exists and stays as it is: name another file, or remove it first", c.File))
	}
	if err != nil {
		return misuse(err)
	}
	_, err = file.Write(config.Example())
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(c.File))
	}
	fmt.Fprintf(env.Stdout, "wrote %s: name your hosts in it, then: muster run -c %s\n", c.File, c.File)
	return nil
}
