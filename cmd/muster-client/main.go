// Command muster-client is what the Muster server runs on a host: it reads a request on standard input and writes a
// sealed report to standard output, or to a file beside itself where the request asks for one.
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
	"syscall"

	"muster/internal/client"
	"muster/internal/client/stats"
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
	directory := ""
	if program, err := os.Executable(); err == nil {
		directory = filepath.Dir(program)
	}
	err := client.Run(ctx, client.Options{
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Log:       log,
		Version:   version,
		Directory: directory,
		Sources:   stats.Sources(),
	})
	if err != nil {
		log.Error("no report", "err", err)
	}
	return status(err)
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
