// Command muster-client is what the Muster server runs on a host: it reads a request on standard input and writes a
// sealed report to standard output, or to a file beside itself where the request asks for one and a server put the client
// there. Under any name but muster-client-… it is one that an administrator installed: it writes no file at all, and reads
// no logs but those in the file muster-client.logs beside it, if there is one; as root none without.
//
// It takes no arguments but --version. Standard input is to stay open after the request: its end stops the client.
// Standard error is its log.
//
// Exit status: 0, the report was delivered; 1, it could not be made or delivered, and standard error says why; 2, the
// command line or the request was wrong; 3, the client was stopped, by the end of standard input or a signal, or its
// deadline passed.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"muster/internal/client"
	"muster/internal/client/logs"
	"muster/internal/client/logs/all"
	"muster/internal/client/stats"
	"muster/internal/report"
)

const (
	statusDelivered = 0
	statusFailed    = 1
	statusUsage     = 2
	statusStopped   = 3
)

const usage = `usage: muster-client [--version]

The Muster server runs it on a host, with a request on standard input.`

// version is set when the client is built: -ldflags "-X main.version=1.2.3".
var version = "dev"

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(arguments []string) int {
	switch {
	case len(arguments) == 1 && arguments[0] == "--version":
		fmt.Println(version)
		return statusDelivered
	case len(arguments) > 0:
		fmt.Fprintln(os.Stderr, usage)
		return statusUsage
	}
	return visit()
}

// visit makes one pass and returns the exit status.
func visit() int {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer release()
	signal.Ignore(syscall.SIGPIPE) // a server that went away is an error of the write, after which a file is removed

	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	folder := ownFolder()
	err := client.Run(ctx, client.Options{
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Log:       log,
		Version:   version,
		Directory: folder,
		Sources:   stats.Sources(),
		Logs:      logSources(folder != ""),
	})
	if err != nil {
		log.Error("no report", "err", err)
	}
	return status(err)
}

// ownFolder returns the folder in which the client may write, or nothing where it may not. One that a server put there has it
// to itself, which shows by its name. One that an administrator installed stands among files of others, and may run as
// root for whoever has the key to the host: it writes none.
func ownFolder() string {
	program, err := os.Executable()
	if err != nil || !strings.HasPrefix(filepath.Base(program), report.ClientPrefix) {
		return ""
	}
	return filepath.Dir(program)
}

// logSources returns what the client reads logs with. One that a server put there reads what its user may.
func logSources(uploaded bool) []logs.Source {
	if uploaded {
		return all.Sources(nil)
	}
	program, err := os.Executable()
	if err != nil {
		return nil // where the list would be nobody knows
	}
	return allowed(program, os.Geteuid() == 0, all.Sources)
}

func status(err error) int {
	switch {
	case err == nil:
		return statusDelivered
	case errors.Is(err, client.ErrRequest):
		return statusUsage
	case errors.Is(err, client.ErrStopped), errors.Is(err, client.ErrDeadline):
		return statusStopped
	}
	return statusFailed
}
