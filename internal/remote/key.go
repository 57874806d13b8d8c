package remote

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/crypto/ssh"
)

// maxKeyFile bounds a private key file; an RSA key of 16,384 bits has 13 kB.
const maxKeyFile = 64 << 10

// LoadKey reads an unencrypted private key file in OpenSSH's or a PEM format. As ssh does, it refuses a file of our own
// user that others can read. Errors are *failure.Error of the kind failure.Configuration and never hold any of the
// file's content.
func LoadKey(path string) (ssh.Signer, error) {
	content, err := readSmall(path, maxKeyFile)
	if err != nil {
		return nil, configuration(fmt.Errorf("read the private key: %w", err), "check the path and who may read it")
	}
	// What it is comes first: to close a public key to others would be no help.
	key, err := parseKey(path, content)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && isTooOpen(info) {
		return nil, configuration(fmt.Errorf("the private key %s has the mode %04o: others can read it",
			path, info.Mode().Perm()), "run: chmod 600 "+Quote(path))
	}
	return key, nil
}

func parseKey(path string, content []byte) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(content)
	if err == nil {
		return signer, nil
	}
	var encrypted *ssh.PassphraseMissingError
	if errors.As(err, &encrypted) {
		return nil, configuration(fmt.Errorf("the private key %s is encrypted: %w", path, err),
			"name a key without a passphrase that only this server uses: ssh-keygen -t ed25519 -N ''")
	}
	if _, _, _, _, public := ssh.ParseAuthorizedKey(content); public == nil {
		return nil, configuration(fmt.Errorf("%s is a public key", path), "name the private key: the file without .pub")
	}
	return nil, configuration(fmt.Errorf("%s is not a private key: %w", path, err),
		"name a key in OpenSSH's or a PEM format; PuTTY's are converted by puttygen")
}
