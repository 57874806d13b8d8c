package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/config"
	"muster/internal/controller"
)

func TestStatusOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{&exitError{status: exitHosts}, 1},
		{errors.New("write to standard output: disk full"), 3},
		{misuse(errors.New("no such host")), 2},
		{errors.Join(misuse(errors.New("no such host")), errors.New("anything else")), 2},
		{fmt.Errorf("%w: database: not a URL", controller.ErrConfiguration), 2},
		{fmt.Errorf("connect: %w", context.Canceled), 1},
		{fmt.Errorf("database %w: refused", controller.ErrUnusable), 3},
		{errors.Join(errors.New("x"), fmt.Errorf("mail %w", controller.ErrUnusable)), 3},
	} {
		if got := statusOf(c.err); got != c.want {
			t.Errorf("statusOf(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

// TestHelpOfEveryCommand checks that each command explains itself, its exit statuses too where they say something.
func TestHelpOfEveryCommand(t *testing.T) {
	for _, command := range []string{"init", "run", "serve", "status", "schema", "demo", "version",
		"db status", "db migrate", "db verify", "db backup", "db prune"} {
		var out bytes.Buffer
		if status := Main(append(strings.Fields(command), "--help"), Env{Stdout: &out, Stderr: &out}); status != 0 {
			t.Errorf("muster %s --help: status %d", command, status)
		}
		if !strings.Contains(out.String(), "Usage: muster "+command) {
			t.Errorf("muster %s --help:\n%s", command, out.String())
		}
		if command != "schema" && command != "version" && !strings.Contains(out.String(), "Exit status:") {
			t.Errorf("muster %s --help does not say what its exit statuses mean", command)
		}
	}
}

// Whatever is doubtful about a configuration is read by somebody: by who watches the terminal, whose log is cut down to
// errors, and by who reads the log, but not twice in one place.
func TestWarningsAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		watched, file    bool
		terminal, logged int
	}{
		"on a terminal":                 {true, false, 1, 0},
		"on a terminal, with a log":     {true, true, 1, 1},
		"nobody watches":                {false, false, 0, 1},
		"nobody watches, log in a file": {false, true, 0, 1},
	} {
		cfg := &config.Config{Warnings: make(config.Mistakes, 1)}
		if c.file {
			cfg.Server.LogFile = "muster.log"
		}
		var terminal, log bytes.Buffer
		tellWarnings(cfg, slog.New(slog.NewTextHandler(&log, nil)), &terminal, c.watched)
		if n := strings.Count(terminal.String(), "muster: warning:"); n != c.terminal {
			t.Errorf("%s: the terminal has %d warnings", name, n)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != c.logged {
			t.Errorf("%s: the log has %d warnings", name, n)
		}
	}
}

// configured writes a configuration of one host, with attributes for <server>, and returns its name.
func configured(t *testing.T, server, more string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "muster.xml")
	text := fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><server data="data" %s/>%s
  <group name="web" user="monitor" password="env:MUSTER_TEST_PASSWORD"><host address="127.0.0.1"/></group>
</muster>`, server, more)
	t.Setenv("MUSTER_TEST_PASSWORD", "secret")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Who only looks changes nothing: no database, no folder for it.
func TestStatusMakesNoDatabase(t *testing.T) {
	file := configured(t, "", "")
	var out, stderr bytes.Buffer
	if status := Main([]string{"status", "-c", file}, Env{Stdout: &out, Stderr: &stderr}); status != 3 {
		t.Errorf("status %d, want 3: %s%s", status, out.String(), stderr.String())
	}
	if !strings.Contains(stderr.String(), "muster run") {
		t.Errorf("it does not say what to do: %s", stderr.String())
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("beside the configuration there are %v, %v", entries, err)
	}
}

// A start that fails is told once: by the command, and by the log where that is a file.
func TestFailedStartIsToldOnce(t *testing.T) {
	for _, server := range []string{"", `log-file="muster.log"`} {
		file := configured(t, server, "")
		cfg, err := configFlag{Config: file}.load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// The place of the data directory is taken by a file.
		if err := os.WriteFile(cfg.Server.Data, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		_, err = openServer(t.Context(), Env{Stderr: &stderr}, cfg, nil)
		if err == nil {
			t.Fatal("it started without a data directory")
		}
		told := stderr.String()
		if server != "" {
			log, err := os.ReadFile(cfg.Server.LogFile)
			if err != nil || !strings.Contains(string(log), "can't start") {
				t.Errorf("the log file does not say why nothing happens: %s, %v", log, err)
			}
		}
		if strings.Contains(told, "can't start") {
			t.Errorf("standard error is told what the command is going to say: %s", told)
		}
	}
}
