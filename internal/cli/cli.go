// Package cli is Muster's command line: one command, one file, each with its options, its help and its Run.
//
// Main parses, runs one command and turns its error into an exit status, which happens here and nowhere else. What a
// person or a program is to read goes to standard output; the log, progress and errors go to standard error. Colours and
// progress appear on a terminal only.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"muster/internal/controller"
)

// Exit statuses.
const (
	exitOK       = 0 // all well
	exitHosts    = 1 // some hosts failed, or were not visited because the command was interrupted
	exitUsage    = 2 // the command line or the configuration
	exitUnusable = 3 // the database, the mail server, or something else that it takes could not be used
)

const description = `Muster visits every machine of a fleet over SSH, stores what each reports, and mails what exceeds its limit.

A first fleet: "muster init" writes a configuration to edit, "muster trust" records the keys of the hosts, "muster check"
says what does not work yet, "muster run" visits every host once, "muster status" shows what they reported, "muster logs"
the records of their logs, "muster serve" goes on visiting. "muster demo" shows the main job on this machine alone.

Exit status: 0 all well; 1 some hosts failed; 2 usage or configuration; 3 the database, the queue, the mail server or
another thing that it takes (a log file, the output) could not be used.`

// commands is the command line.
type commands struct {
	Init    initCommand    `cmd:"" help:"Write an annotated configuration to start from."`
	Check   checkCommand   `cmd:"" help:"Check the configuration, every host, the database and the mail server."`
	Run     runCommand     `cmd:"" help:"Visit every host once, now."`
	Serve   serveCommand   `cmd:"" help:"Visit every host at each interval, until stopped."`
	Trust   trustCommand   `cmd:"" help:"Show the keys of hosts, and record those that you trust."`
	Reload  reloadCommand  `cmd:"" help:"Have the server that runs read its configuration anew."`
	Status  statusCommand  `cmd:"" help:"Show each host with its last visit, CPU, memory, uptime and alerts."`
	Logs    logsCommand    `cmd:"" help:"Show log records: of hosts, channels, events, of who failed to log in."`
	Login   loginCommand   `cmd:"" help:"Let passwords be sent again that were refused."`
	Queue   queueCommand   `cmd:"" help:"Work on what could not be stored."`
	DB      dbCommand      `cmd:"" name:"db" help:"See to the database: its size, upgrade, soundness, backup and history."`
	Client  clientCommand  `cmd:"" help:"List the clients that the server carries, or write one out."`
	Schema  schemaCommand  `cmd:"" help:"Print the XML schema of the configuration or of a report."`
	Demo    demoCommand    `cmd:"" help:"Show the main job on this machine alone: hosts, database and mail on loopback."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// Env is where a command runs: its streams and its version. Commands reach the outside through it alone.
type Env struct {
	Stdin   io.Reader // nil: nobody answers
	Stdout  io.Writer
	Stderr  io.Writer
	Version string
}

// exitError is an error that knows its exit status. err may be nil where everything that is to be said has been said.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// misuse says that the command line or the configuration is what is wrong.
func misuse(err error) error { return &exitError{exitUsage, err} }

// Main runs the command that args (without the program's name) name and returns the exit status. SIGINT and SIGTERM
// end the command in good order; another one, a second later or more, ends the process at once. Within that second it is
// taken for the same: whoever signals a process and its group sends two.
func Main(args []string, env Env) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })() // nothing is left behind but after a signal

	err := run(ctx, args, env)
	status := statusOf(err)
	var exit *exitError
	if err != nil && !(errors.As(err, &exit) && exit.err == nil) {
		fmt.Fprintf(env.Stderr, "muster: %v\n", err)
	}
	return status
}

// statusOf is the one place where an error becomes an exit status.
func statusOf(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.status
	case errors.Is(err, controller.ErrConfiguration):
		return exitUsage
	case errors.Is(err, controller.ErrUnusable):
		return exitUnusable
	case errors.Is(err, context.Canceled):
		return exitHosts
	}
	return exitUnusable
}

// stopParsing carries the exit status that kong asks for, after --help for one, out of its parser.
type stopParsing int

func run(ctx context.Context, args []string, env Env) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case stopParsing:
			if p != 0 {
				err = &exitError{status: exitUsage}
			}
		default:
			panic(p)
		}
	}()
	var c commands
	parser, err := kong.New(&c,
		kong.Name("muster"),
		kong.Description(description),
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(status int) { panic(stopParsing(status)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(env),
	)
	if err != nil {
		return err
	}
	args = usual(args)
	command, err := parser.Parse(args)
	if err != nil {
		return misuse(fmt.Errorf("%w; muster --help shows the commands", lacksValue(err, args)))
	}
	return command.Run()
}

// usual returns args with what people type by habit in our spelling: "help run" for "run --help", and "--version".
func usual(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "--version":
		return []string{"version"}
	}
	return args
}

// lacksValue says in plain words that the value of an option is missing where args end with its name; any other error is
// returned as it is.
func lacksValue(err error, args []string) error {
	var parsing *kong.ParseError
	if !errors.As(err, &parsing) {
		return err
	}
	last := args[len(args)-1]
	for _, flag := range parsing.Context.Flags() {
		if flag.IsBool() || last != "--"+flag.Name && (flag.Short == 0 || last != "-"+string(flag.Short)) {
			continue
		}
		return fmt.Errorf("%s needs a value, as in %s %s", last, last, strings.ToUpper(flag.FormatPlaceHolder()))
	}
	return err
}
