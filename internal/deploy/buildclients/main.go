// Command buildclients cross-compiles cmd/muster-client for the platforms that Muster visits and leaves the set where the
// server embeds it: one zstd file for each platform, and a manifest.
//
//	go run ./internal/deploy/buildclients [-version V] [-out internal/deploy/clients] [-parallel N] [os/arch …]
//
// Without platforms it builds all of them. The same source, toolchain and version give the same bytes, on any machine. The
// folder holds exactly the set that was asked for afterwards: clients of an earlier run are removed, and one platform that
// can't be built fails the run and leaves the folder as it was. Exit status 0: done; 1: a build failed; 2: usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"

	"muster/internal/deploy/manifest"
)

const clientPackage = "muster/cmd/muster-client"

var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "buildclients:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "buildclients:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("buildclients", flag.ContinueOnError)
	flags.SetOutput(stderr)
	set := set{Package: clientPackage}
	flags.StringVar(&set.Version, "version", "dev", "the version that the clients report")
	flags.StringVar(&set.Folder, "out", "internal/deploy/clients", "the folder to build into")
	flags.IntVar(&set.Parallel, "parallel", max(1, runtime.NumCPU()/2), "how many platforms to build at once")
	if err := flags.Parse(arguments); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	platforms, err := parsePlatforms(flags.Args())
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if set.Version == "" || set.Parallel < 1 {
		return fmt.Errorf("%w: -version must not be empty and -parallel not below 1", errUsage)
	}
	set.Platforms = platforms
	return set.build(ctx, stdout)
}

func parsePlatforms(arguments []string) ([]manifest.Platform, error) {
	if len(arguments) == 0 {
		return manifest.Platforms(), nil
	}
	var platforms []manifest.Platform
	for _, argument := range arguments {
		p, err := manifest.ParsePlatform(argument)
		if err != nil {
			return nil, err
		}
		if slices.Contains(platforms, p) {
			return nil, fmt.Errorf("%s is named twice", p)
		}
		platforms = append(platforms, p)
	}
	return platforms, nil
}
