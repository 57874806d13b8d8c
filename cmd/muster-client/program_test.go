package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestItLinksNothingOfTheServer(t *testing.T) {
	output, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := slices.Collect(maps.Values(own()))
	packages := strings.Fields(string(output))
	if !slices.Contains(packages, "muster/internal/client/stats") {
		t.Fatalf("go list says %q", output)
	}
	for _, name := range packages {
		if strings.HasPrefix(name, "muster/") && !slices.Contains(allowed, name) {
			t.Errorf("it links %s", name)
		}
		for _, foreign := range []string{
			"golang.org/x/crypto", "gorm.io", "nats", "mail", "database/sql", "sqlite", "pgx", "mysql", "kong", "lipgloss",
			"net/http", "crypto/tls", "html/template", "text/template",
		} {
			if strings.Contains(name, foreign) && !strings.HasPrefix(name, "vendor/") {
				t.Errorf("it links %s", name)
			}
		}
	}
}

func TestItIsSmall(t *testing.T) {
	const most = 4_500_000
	for _, platform := range []string{
		"linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64",
		"darwin/amd64", "darwin/arm64", "freebsd/amd64", "freebsd/arm64",
	} {
		t.Run(platform, func(t *testing.T) {
			if testing.Short() && platform != "linux/amd64" {
				t.Skip("-short: a build for each platform takes a while")
			}
			goos, goarch, _ := strings.Cut(platform, "/")
			path := filepath.Join(t.TempDir(), "muster-client")
			if err := build(path, goos, goarch); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes", info.Size())
			if info.Size() >= most {
				t.Errorf("it has %d bytes, and may have %d", info.Size(), most)
			}
		})
	}
}
