package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"muster/internal/config"
	"muster/internal/inventory"
	"muster/internal/inventory/draft"
)

type initCommand struct {
	File string `arg:"" optional:"" default:"muster.xml" help:"Where to write it; an existing file is never overwritten."`

	From   string `placeholder:"INVENTORY" help:"Write the hosts of an inventory: of Ansible (INI, YAML, JSON), an ssh_config, a CSV or a list of hosts. - is standard input."`
	Format string `placeholder:"FORMAT" enum:",ansible,ssh-config,csv,list" default:"" help:"What the inventory is written in: ansible, ssh-config, csv or list. Default: found by its name and content."`

	Config string `short:"c" hidden:""` // what other commands have; here it is a slip
}

// Help is shown by muster init --help.
func (initCommand) Help() string {
	return `Writes a configuration with comments, to be edited: name your hosts, your user and your key, then "muster trust",
"muster check" and "muster run". Before that it names no host, and nothing is visited.
With --from the hosts are those of an inventory that you have. What is not understood stands in comments, and so do hosts
that can't be reached by SSH; a password is never taken over.
Only you can read the file, so that it may hold a password.

Exit status: 0 written; 2 the file exists or can't be created; 3 it could not be written.`
}

// Run writes the configuration.
func (c initCommand) Run(env Env) error {
	if c.Config != "" {
		return misuse(fmt.Errorf("init takes the file without -c: muster init %s", c.Config))
	}
	if c.Format != "" && c.From == "" {
		return misuse(errors.New("--format says what --from FILE is written in: name the file too"))
	}
	document, summary := config.Example(), "name your hosts in it"
	if c.From != "" {
		written, err := draftFrom(c.From, inventory.Format(c.Format))
		if err != nil {
			return misuse(err)
		}
		document, summary = written.Document, importSummary(written)
	}
	file, err := os.OpenFile(c.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if c.From == "" && filepath.Ext(c.File) != ".xml" {
			return misuse(fmt.Errorf("%s exists and stays as it is: to read hosts from it, muster init --from %s", c.File, c.File))
		}
		return misuse(fmt.Errorf("%s exists and stays as it is: name another file, or remove it first", c.File))
	}
	if err != nil {
		return misuse(err)
	}
	_, err = file.Write(document)
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(c.File))
	}
	fmt.Fprintf(env.Stdout, "wrote %s: %s, then: muster trust -c %s, and muster check\n", c.File, summary, c.File)
	return nil
}

// draftFrom makes a configuration of the inventory at a path.
func draftFrom(path string, format inventory.Format) (*draft.Draft, error) {
	o := inventory.Options{File: path, Format: format}
	var err error
	if path == "-" {
		o.File = "standard input"
		o.Content, err = io.ReadAll(io.LimitReader(os.Stdin, inventory.MaxSize+1))
	} else {
		o.Folder = os.DirFS(filepath.Dir(path))
		o.Content, err = readInventory(path)
	}
	if err != nil {
		return nil, err
	}
	in, err := inventory.Read(o)
	if err != nil {
		return nil, err
	}
	return draft.Write(in, o.File)
}

func readInventory(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder: name a file in it, or ask Ansible: "+
			"ansible-inventory -i %s --list | muster init --from -", path, path)
	}
	return io.ReadAll(io.LimitReader(file, inventory.MaxSize+1))
}

func importSummary(d *draft.Draft) string {
	text := count(d.Hosts, "host")
	if d.Left > 0 {
		text += fmt.Sprintf(", and %d in comments that say why", d.Left)
	}
	return text + ": look at the comments in it"
}
