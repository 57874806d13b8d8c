package faults_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rs/zerolog"

	"muster/internal/cli"
)

// options say what a run of the bench is like.
type options struct {
	Seed     uint64
	Kills    int           // the storm ends after so many …
	Time     time.Duration // … or after this
	Endure   time.Duration // of faults under one server that is not killed
	Patience time.Duration // how long the books may take to balance when all is well again
	Hosts    int
	Muster   string // the program; empty: this test program is it
	Long     bool
}

// long is what "make faults" asks for on the command line.
var long = options{Hosts: 4, Long: true}

// TestMain puts this program into PATH as muster, so that the server is a process of its own as it is for a user.
func TestMain(m *testing.M) {
	flag.BoolVar(&runLong, "faults.long", false, "run the long form")
	flag.Uint64Var(&long.Seed, "faults.seed", 0, "what the schedule is drawn from; 0: the time")
	flag.IntVar(&long.Kills, "faults.kills", 500, "kills after which the storm ends")
	flag.DurationVar(&long.Time, "faults.time", 40*time.Minute, "how long the storm may take")
	flag.DurationVar(&long.Endure, "faults.endure", time.Minute, "how long one server is to endure faults")
	flag.DurationVar(&long.Patience, "faults.patience", 2*time.Minute, "how long the books may take to balance")
	flag.StringVar(&long.Muster, "faults.muster", "", "the program; empty: built into the test")
	zerolog.SetGlobalLevel(zerolog.Disabled) // the proxies' own log
	testscript.Main(m, map[string]func(){"muster": func() {
		os.Exit(cli.Main(os.Args[1:], cli.Env{Stdout: os.Stdout, Stderr: os.Stderr, Version: "bench"}))
	}})
}

// runLong says that the long form is wanted, which takes too long for every test run.
var runLong bool
