package stats

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/shirou/gopsutil/v4/host"

	"muster/internal/report"
)

// readUsers counts the sessions of logged-in users: in utmp, or, where the system keeps none (Debian 13, Fedora), among
// the sessions of systemd-logind. A system that records neither has nothing to give.
//
// Without utmp gopsutil asks loginctl, once for the list and once for each session: 10 ms and more for what the files
// that loginctl's library reads say in 0.1 ms.
func readUsers(ctx context.Context) ([]report.Statistic, error) {
	count, err := countUTMP(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		count, err = countLogind(filepath.Join(runRoot(ctx), "systemd/sessions"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sessions of users: %w", err)
	}
	return []report.Statistic{gauge("users.count", "", "1", float64(count))}, nil
}

func countUTMP(ctx context.Context) (int, error) {
	if _, err := os.Stat(filepath.Join(varRoot(ctx), "run/utmp")); err != nil {
		return 0, err
	}
	sessions, err := host.UsersWithContext(ctx)
	return len(sessions), err
}

// countLogind counts the sessions that utmp would hold. A session that ends meanwhile is not counted.
func countLogind(folder string) (int, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, entry := range entries {
		if !entry.Type().IsRegular() { // beside each file lies a pipe, which would block
			continue
		}
		file, err := os.Open(filepath.Join(folder, entry.Name()))
		if err != nil {
			continue
		}
		if isUserSession(io.LimitReader(file, 64<<10)) {
			count++
		}
		_ = file.Close() // it was only read
	}
	return count, nil
}

// isUserSession says whether a session file of systemd-logind (KEY=value lines) is that of a person at a terminal or a
// seat: not of a service, a greeter, or a command run without a terminal, as a visit itself is.
func isUserSession(file io.Reader) bool {
	var class, place string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		switch key {
		case "CLASS":
			class = value
		case "TTY", "SEAT":
			place += value
		}
	}
	return strings.HasPrefix(class, "user") && place != ""
}
