package testserver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// writeUserKey generates the user's key pair.
func writeUserKey(t testing.TB, keyFile, authorizedKeys string) {
	t.Helper()
	public := writePrivateKey(t, keyFile, "ed25519")
	writeText(t, authorizedKeys, string(ssh.MarshalAuthorizedKey(public)), 0o644)
}

// writeHostKeys generates host keys of the given types into files host_TYPE.
func writeHostKeys(t testing.TB, folder string, kinds []string) []ssh.PublicKey {
	t.Helper()
	var keys []ssh.PublicKey
	for _, kind := range kinds {
		keys = append(keys, writePrivateKey(t, filepath.Join(folder, "host_"+kind), kind))
	}
	return keys
}

// writeKnownHosts writes the known_hosts file of a server.
func writeKnownHosts(t testing.TB, folder string, port int, keys []ssh.PublicKey) string {
	t.Helper()
	var lines strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&lines, "[127.0.0.1]:%d %s", port, ssh.MarshalAuthorizedKey(key))
	}
	path := filepath.Join(folder, "known_hosts")
	writeText(t, path, lines.String(), 0o644)
	return path
}

// writePrivateKey generates a key of a type and writes it in OpenSSH's format.
func writePrivateKey(t testing.TB, path, kind string) ssh.PublicKey {
	t.Helper()
	var private crypto.Signer
	var err error
	switch kind {
	case "ed25519":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		t.Fatalf("no host key of the type %q", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, path, string(pem.EncodeToMemory(block)), 0o600)
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// UserKey generates a user's key pair in the given file, and returns the file that has the public key as authorized_keys
// has it.
func UserKey(t testing.TB, keyFile string) (authorizedKeys string) {
	t.Helper()
	authorizedKeys = keyFile + ".pub"
	writeUserKey(t, keyFile, authorizedKeys)
	return authorizedKeys
}
