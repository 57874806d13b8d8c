package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// question asks a person about keys.
type question struct {
	env    Env
	all    bool // yes to all that are unknown
	none   bool // no more questions
	silent bool // there was something to ask, and nobody to answer
	input  *bufio.Reader
}

// ask asks whether to record a key. A changed one is asked about even after "all".
func (q *question) ask(ctx context.Context, f *trusted) bool {
	if !isTerminal(q.env.Stdout) || !answers(q.env.Stdin) {
		q.silent = true
		return false
	}
	if q.none || q.all && f.state == stateUnknown {
		return q.all
	}
	kind, fingerprint := describe(f.HostKey)
	what, choices := "Record", "yes, no, all, quit"
	if f.state == stateChanged {
		what, choices = "REPLACE THE KNOWN KEY by", "yes, no, quit"
	}
	for {
		fmt.Fprintf(q.env.Stdout, "%s the %s key %s of %s (%s)? [%s] ", what, kind, fingerprint,
			printable(f.Host), printable(f.Address), choices)
		answer, ok := q.read(ctx)
		switch {
		case !ok || answer == "quit":
			q.none, q.all = true, false
			return false
		case answer == "yes" || answer == "y":
			return true
		case answer == "no" || answer == "n":
			return false
		case answer == "all" && f.state == stateUnknown:
			q.all = true
			return true
		}
		fmt.Fprintf(q.env.Stdout, "please type one of: %s\n", choices)
	}
}

// read reads a line; false if there is none, or ctx ends first. Then the read goes on until the process ends: a terminal
// can't be made to give up one.
func (q *question) read(ctx context.Context) (string, bool) {
	if q.input == nil {
		q.input = bufio.NewReader(q.env.Stdin)
	}
	lines := make(chan string, 1)
	go func() {
		defer close(lines)
		if line, err := q.input.ReadString('\n'); err == nil {
			lines <- strings.ToLower(strings.TrimSpace(line))
		}
	}()
	select {
	case line, ok := <-lines:
		return line, ok
	case <-ctx.Done():
		fmt.Fprintln(q.env.Stdout)
		return "", false
	}
}

// answers tells whether a person is behind r.
func answers(r io.Reader) bool {
	file, ok := r.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
