package remote_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/remote"
	"muster/internal/sshtest"
)

// echo answers every command without starting anything, so that what is measured is SSH, on both sides.
func echo(_ context.Context, s *sshtest.Session) sshtest.Exit {
	_, _ = io.WriteString(s.Stdout, "Linux x86_64\n")
	return sshtest.Exit{}
}

// BenchmarkVisit dials, runs a command and closes: a host that is visited anew each time.
func BenchmarkVisit(b *testing.B) {
	key := newKey(b)
	o := options(b, newServer(b, sshtest.Options{Exec: echo, Keys: []ssh.PublicKey{key.PublicKey()}}))
	o.Signers = []ssh.Signer{key}
	b.ReportAllocs()
	for b.Loop() {
		conn, err := remote.Dial(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Output(b.Context(), "uname -sm", nil); err != nil {
			b.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOutput runs a command on an open connection.
func BenchmarkOutput(b *testing.B) {
	conn := dial(b, options(b, newServer(b, sshtest.Options{Exec: echo})))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Output(b.Context(), "uname -sm", nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpload uploads a client of four megabytes, and BenchmarkDownload fetches a report of 64 kB.
func BenchmarkUpload(b *testing.B) {
	files, _ := openFiles(b, sshtest.Options{})
	content := bytes.Repeat([]byte("x"), 4<<20)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if err := files.Upload(b.Context(), "client", bytes.NewReader(content), int64(len(content)), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := files.Remove(b.Context(), "client"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDownload(b *testing.B) {
	files, _ := openFiles(b, sshtest.Options{})
	upload(b, files, "report", strings.Repeat("x", 64<<10))
	b.SetBytes(64 << 10)
	for b.Loop() {
		if _, err := files.Download(b.Context(), "report", 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}
