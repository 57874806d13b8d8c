package cli

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"muster/internal/sshtest"
)

// demoFleet is a handful of SSH servers in this process, each with a home folder of its own, that stand for hosts.
type demoFleet struct {
	hosts []demoHost
}

type demoHost struct {
	name   string
	home   string
	server *sshtest.Server
}

// newDemoFleet starts n hosts, and writes the key that they let in and their host keys into dir, as id_ed25519 and
// known_hosts.
func newDemoFleet(dir string, n int) (_ *demoFleet, err error) {
	key, err := writeKey(filepath.Join(dir, "id_ed25519"))
	if err != nil {
		return nil, err
	}
	f := &demoFleet{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	var known strings.Builder
	web := (n + 1) / 2
	for i := range n {
		name := fmt.Sprintf("web%d", i+1)
		if i >= web {
			name = fmt.Sprintf("db%d", i+1-web)
		}
		home := filepath.Join(dir, "hosts", name)
		if err := os.MkdirAll(home, 0o700); err != nil {
			return nil, err
		}
		server, err := sshtest.New(sshtest.Options{Home: home, User: "muster", Keys: []ssh.PublicKey{key}})
		if err != nil {
			return nil, err
		}
		f.hosts = append(f.hosts, demoHost{name, home, server})
		known.WriteString(server.KnownHostsLine())
	}
	return f, os.WriteFile(filepath.Join(dir, "known_hosts"), []byte(known.String()), 0o600)
}

// writeKey generates a key pair, writes the private key in OpenSSH's form and returns the public one.
func writeKey(path string) (ssh.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "muster demo")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(public)
}

// SwitchOff ends the last host and returns its name.
func (f *demoFleet) SwitchOff() (string, error) {
	last := f.hosts[len(f.hosts)-1]
	return last.name, last.server.Close()
}

// Close ends all hosts.
func (f *demoFleet) Close() error {
	var errs []error
	for _, h := range f.hosts {
		errs = append(errs, h.server.Close())
	}
	return errors.Join(errs...)
}

// printMail prints the subject and the text of a mail as it came over SMTP.
func printMail(w io.Writer, data []byte) error {
	message, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("the mail of the demo: %w", err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil {
		return fmt.Errorf("the mail of the demo: %w", err)
	}
	fmt.Fprintf(w, "Subject: %s\n\n", subject)
	_, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("the mail of the demo: %w", err)
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return fmt.Errorf("the mail of the demo has no text: %w", err)
		}
		if !strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
			continue
		}
		var body io.Reader = part
		if part.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(part)
		}
		_, err = io.Copy(w, body)
		return err
	}
}
