// Command muster visits every machine of a fleet over SSH, stores what each reports, and mails what exceeds its limit.
package main

import (
	"os"

	"muster/internal/cli"
)

// version is set by the build.
var version = "dev"

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Version: version}))
}
