// Package sshtest is an SSH server with SFTP in this process: for tests, for the demo, and to simulate a fleet.
//
// It listens on loopback, has a host key of its own, lets in whoever has the right key or password, runs commands for
// real in a home folder of its own, and serves files. It is not a server for strangers: it has no users and no rights
// but those of this process, and SFTP reaches every file that the process does.
//
// How it behaves is a matter of functions in Options: what happens to a connection before SSH begins, which requests are
// refused, what runs a command, what serves SFTP, how the login is configured. Ready-made ones stand beside them, so
// that a test of a bad day reads as what happens on it:
//
//	sshtest.New(sshtest.Options{Home: t.TempDir(), Password: "x", Accept: sshtest.StallAfter(1500)})
//
// A Server may be used by many goroutines. Close ends its connections, kills what runs in them, and waits for all of it.
package sshtest
