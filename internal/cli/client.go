package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"

	"muster/internal/deploy"
	"muster/internal/report"
)

type clientCommand struct {
	JSON     bool   `help:"Print JSON: the list, or what was written."`
	Platform string `arg:"" optional:"" help:"What to write out, as in linux/amd64; default: list all."`
	File     string `arg:"" optional:"" help:"Where to write it; an existing file is never overwritten. Default: standard output."`
}

// Help is shown by muster client --help.
func (clientCommand) Help() string {
	return `Lists the clients that the server carries, one for each platform, or writes one out, for hosts on which an administrator
installs it (client="installed:…"; docs/least-rights.md). For all other hosts there is nothing to do: the server uploads it.

  muster client linux/amd64 muster-client     write it to a file that everybody may execute
  muster client linux/amd64 | ssh root@web1 'install -m 755 /dev/stdin /usr/local/libexec/muster-client'

What is written is checked against its SHA-256 first; sha256sum says the same one on the host.

Exit status: 0 listed or written; 2 usage, an unknown platform, or the file exists or can't be created; 3 it could not be
written, or the server was built without clients.`
}

// clientInfo is a client in JSON.
type clientInfo struct {
	Platform string `json:"platform"`
	Version  string `json:"version"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`
	File     string `json:"file,omitempty"` // that it was written to
}

// Run lists the clients or writes one out.
func (c clientCommand) Run(env Env) error {
	clients, err := deploy.Embedded()
	if err != nil {
		return err
	}
	if c.Platform == "" {
		return c.list(env, clients)
	}
	for _, p := range clients.Platforms() {
		if p.String() == c.Platform {
			return c.write(env, clients, p)
		}
	}
	return misuse(fmt.Errorf("there is no client for %s: muster client lists those that there are", c.Platform))
}

func (c clientCommand) list(env Env, clients *deploy.Clients) error {
	var infos []clientInfo
	for _, p := range clients.Platforms() {
		infos = append(infos, infoOf(clients, p))
	}
	if c.JSON {
		return writeJSON(env.Stdout, infos)
	}
	table := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PLATFORM\tVERSION\tSIZE\tSHA-256")
	for _, i := range infos {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", i.Platform, i.Version, report.FormatValue(float64(i.Bytes), "B"), i.SHA256)
	}
	return table.Flush()
}

func infoOf(clients *deploy.Clients, p deploy.Platform) clientInfo {
	e := clients.Entry(p)
	return clientInfo{Platform: e.Platform, Version: e.Version, Bytes: e.Size, SHA256: e.SHA256}
}

// write writes a client out. What there is to say of it goes where the program itself does not.
func (c clientCommand) write(env Env, clients *deploy.Clients, p deploy.Platform) error {
	program, err := clients.Program(p)
	if err != nil {
		return err
	}
	info, told := infoOf(clients, p), env.Stdout
	if c.File == "" {
		told = env.Stderr
		if isTerminal(env.Stdout) {
			return misuse(fmt.Errorf("a program is nothing to show: name a file, as in muster client %s muster-client", p))
		}
		_, err = env.Stdout.Write(program)
	} else {
		info.File = c.File
		err = writeProgram(c.File, program)
	}
	if err != nil {
		return err
	}
	return c.tell(told, info)
}

func (c clientCommand) tell(w io.Writer, info clientInfo) error {
	if c.JSON {
		return writeJSON(w, info)
	}
	what := "wrote the client"
	if info.File != "" {
		what = "wrote " + info.File + ": the client"
	}
	fmt.Fprintf(w, "%s for %s, version %s, %s\nSHA-256: %s\n",
		what, info.Platform, info.Version, report.FormatValue(float64(info.Bytes), "B"), info.SHA256)
	return nil
}

// writeProgram writes a new file that everybody may execute, and nobody but its owner change. Half a file does not stay.
func writeProgram(name string, program []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755) //nolint:gosec // it is to be executed
	switch {
	case errors.Is(err, fs.ErrExist):
		return misuse(fmt.Errorf("%s exists and stays as it is: name another file, or remove it first", name))
	case err != nil:
		return misuse(err)
	}
	_, err = file.Write(program)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
