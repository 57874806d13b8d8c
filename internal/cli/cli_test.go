package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"muster/internal/controller"
)

func TestStatusOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{&exitError{status: exitHosts}, 1},
		{errors.New("anything else"), 2},
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
