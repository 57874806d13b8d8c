package testserver

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// PostgreSQL starts a PostgreSQL server and returns it when it takes clients. It ends with the test. PostgreSQL refuses to
// run as root: there it runs as the user postgres, or nobody.
func PostgreSQL(t testing.TB) *Database {
	t.Helper()
	bin := postgresFolder(t)
	account := ordinaryUser(t)
	folder, err := os.MkdirTemp("", "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	password := filepath.Join(folder, "password")
	if err := os.WriteFile(password, []byte(databasePassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, password} {
		if account != nil {
			if err := os.Chown(path, account.uid, account.gid); err != nil {
				t.Fatal(err)
			}
		}
	}
	run := func(program string, arguments ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, program), arguments...)
		cmd.Dir = folder
		runAs(cmd, account)
		return cmd
	}
	data := filepath.Join(folder, "data")
	out, err := run("initdb", "--pgdata="+data, "--username="+databaseUser, "--pwfile="+password, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v\n%s", err, tail(out))
	}
	d := &Database{Password: databasePassword, scheme: "postgres", folder: folder, ready: answersSSLRequest}
	d.end = func(p *os.Process) error { return p.Signal(os.Interrupt) } // "fast": clients are disconnected
	d.command = func(port int) *exec.Cmd {
		return run("postgres", "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
			"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=128MB")
	}
	d.begin(t)
	return d
}

// postgresFolder returns where the programs are. Debian has them outside of PATH, one folder for each version; a program of
// that name elsewhere may be anything.
func postgresFolder(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return postgresVersion(a) - postgresVersion(b) })
		return filepath.Dir(newest)
	}
	return filepath.Dir(Need(t, "initdb", "postgresql"))
}

func postgresVersion(path string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return version
}

// account is whom a server runs as.
type account struct{ uid, gid int }

// ordinaryUser returns whom to run as instead of root; nil where the test is not root.
func ordinaryUser(t testing.TB) *account {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			t.Fatal(err)
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			t.Fatal(err)
		}
		return &account{uid, gid}
	}
	t.Fatal("PostgreSQL does not run as root, and there is no user postgres or nobody")
	return nil
}

// answersSSLRequest asks for TLS the way a client begins (PostgreSQL's documentation, "SSL Session Encryption"), which is
// answered with S or N, and then begins a session as nobody: a server that still starts up, or recovers, refuses it with
// cannot_connect_now, one that is ready asks for a password or refuses the user.
func answersSSLRequest(conn net.Conn) error {
	if _, err := conn.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47}); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return err
	}
	startup := []byte("\x00\x00\x00\x00\x00\x03\x00\x00user\x00nobody\x00database\x00postgres\x00\x00")
	startup[3] = byte(len(startup))
	if _, err := conn.Write(startup); err != nil {
		return err
	}
	answer := make([]byte, 200)
	n, err := conn.Read(answer)
	if err != nil {
		return err
	}
	if answer[0] == 'E' && slices.Contains(splitFields(answer[5:n]), "C57P03") {
		return fmt.Errorf("it is starting up")
	}
	return nil
}

// splitFields splits an error message of the protocol into its fields, each beginning with its type.
func splitFields(message []byte) []string {
	var fields []string
	begin := 0
	for i, b := range message {
		if b == 0 {
			fields = append(fields, string(message[begin:i]))
			begin = i + 1
		}
	}
	return fields
}
