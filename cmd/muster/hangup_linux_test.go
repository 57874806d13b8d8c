package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestServeEndsWithItsTerminal closes the terminal on which a person has started a server.
func TestServeEndsWithItsTerminal(t *testing.T) {
	f := newFleet(t, "")
	f.configureServe(fmt.Sprintf(`<host name="one" address="%s" port="%d"/>`, f.sshd.Address, f.sshd.Port))
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	raw, err := master.SyscallConn() // Fd would have Close wait for those who read
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			n, failed := unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
			number, err = n, errors.Join(failed, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := newManager(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := f.command(ctx, "serve")
	command.Env = append(command.Env, "NOTIFY_SOCKET="+m.name)
	command.Stderr = terminal
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() { // so that the server can write; ends when nobody has the terminal open
		defer close(read)
		_, _ = io.Copy(io.Discard, master)
	}()
	m.waitFor("READY=1")
	// While the terminal is there, it is a request to reload.
	hangUp := func() {
		t.Helper()
		if err := command.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangUp()
	m.waitFor("RELOADING=1")
	m.waitFor("READY=1")

	_ = master.Close()
	hangUp()
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it goes on without its terminal")
	}
	<-read
}
