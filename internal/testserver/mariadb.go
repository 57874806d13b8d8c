package testserver

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// MariaDB starts a MariaDB server and returns it when it takes clients. It ends with the test.
func MariaDB(t testing.TB) *Database {
	t.Helper()
	return MariaDBWith(t)
}

// MariaDBWith is MariaDB with further options on the server's command line, such as those for TLS.
func MariaDBWith(t testing.TB, options ...string) *Database {
	t.Helper()
	program := Need(t, "mariadbd", "mariadb-server")
	install := Need(t, "mariadb-install-db", "mariadb-server")
	// Not in t.TempDir: the path of a socket may have some hundred characters only.
	folder, err := os.MkdirTemp("", "mariadb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	data := filepath.Join(folder, "data")
	arguments := []string{"--no-defaults", "--datadir=" + data}
	if os.Getuid() == 0 {
		arguments = append(arguments, "--user=root")
	}
	// At its start a server removes other servers' temporary tables, if they lie in the same folder.
	temporary := filepath.Join(folder, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), "TMPDIR="+temporary)
	setup := exec.Command(install, slices.Concat(arguments,
		[]string{"--auth-root-authentication-method=normal", "--skip-test-db"})...)
	setup.Env = environment
	out, err := setup.CombinedOutput()
	if err != nil {
		t.Fatalf("mariadb-install-db: %v\n%s", err, tail(out))
	}
	users := filepath.Join(folder, "users.sql")
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(databasePassword)
	if err := os.WriteFile(users, fmt.Appendf(nil, "CREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY '%s';\n"+
		"GRANT ALL ON *.* TO '%[1]s'@'%%' WITH GRANT OPTION;\n", databaseUser, quoted), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &Database{Password: databasePassword, scheme: "mysql", folder: folder, ready: greeted, end: terminate}
	d.command = func(port int) *exec.Cmd {
		command := exec.Command(program, slices.Concat(arguments, []string{
			"--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", port),
			"--socket=" + filepath.Join(folder, "socket"), "--pid-file=" + filepath.Join(folder, "pid"),
			"--init-file=" + users, "--skip-name-resolve", "--skip-log-bin",
			"--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=128M",
		}, options)...)
		command.Env = environment
		return command
	}
	d.begin(t)
	return d
}

// greeted waits for the greeting, which MariaDB sends when it has started in full.
func greeted(conn net.Conn) error {
	_, err := io.ReadFull(conn, make([]byte, 5))
	return err
}

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
