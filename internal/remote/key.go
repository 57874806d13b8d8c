package remote

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxKeyFile bounds a private key file; an RSA key of 16,384 bits has 13 kB.
const maxKeyFile = 64 << 10

// ErrPassphrase is in the chain of the error of a key that a passphrase does not open.
var ErrPassphrase = errors.New("the passphrase is not right")

// LoadKey reads a private key file in OpenSSH's or a PEM format, and opens it with the passphrase if it is encrypted. As
// ssh does, it refuses a file of our own user that others can read. Opening an encrypted key takes a tenth of a second
// and more, on purpose. Errors are *failure.Error of the kind failure.Configuration and hold neither the passphrase nor
// any of the file's content; that there is no such file is fs.ErrNotExist, that a passphrase is missing is
// *ssh.PassphraseMissingError, and that it is wrong is ErrPassphrase.
func LoadKey(path, passphrase string) (ssh.Signer, error) {
	content, err := readSmall(path, maxKeyFile)
	if err != nil {
		return nil, configuration(fmt.Errorf("read the private key: %w", err), "check the path and who may read it")
	}
	// What it is comes first: to close a public key to others would be no help.
	key, err := parseKey(path, content, passphrase)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && isTooOpen(info) {
		return nil, configuration(fmt.Errorf("the private key %s has the mode %04o: others can read it",
			path, info.Mode().Perm()), "run: chmod 600 "+Quote(path))
	}
	return key, nil
}

func parseKey(path string, content []byte, passphrase string) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(content)
	if err == nil {
		return signer, nil
	}
	var encrypted *ssh.PassphraseMissingError
	if errors.As(err, &encrypted) {
		return openKey(path, content, passphrase, err)
	}
	if isEncryptedPKCS8(content) {
		if passphrase == "" {
			return nil, errNoPassphrase(path, &ssh.PassphraseMissingError{})
		}
		return openPKCS8(path, content, passphrase)
	}
	if _, _, _, _, public := ssh.ParseAuthorizedKey(content); public == nil {
		return nil, configuration(fmt.Errorf("%s is a public key", path), "name the private key: the file without .pub")
	}
	return nil, configuration(fmt.Errorf("%s is not a private key: %w", path, err),
		"name a key in OpenSSH's or a PEM format; PuTTY's are converted by puttygen")
}

// openKey opens an encrypted key; missing is the error of the attempt without a passphrase.
func openKey(path string, content []byte, passphrase string, missing error) (ssh.Signer, error) {
	if passphrase == "" {
		return nil, errNoPassphrase(path, missing)
	}
	signer, err := ssh.ParsePrivateKeyWithPassphrase(content, []byte(passphrase))
	switch {
	case errors.Is(err, x509.IncorrectPasswordError):
		return nil, errWrongPassphrase(path)
	case err != nil:
		return nil, configuration(fmt.Errorf("the private key %s can't be opened: %w", path, err),
			"write it in OpenSSH's own format: ssh-keygen -p -f "+Quote(path))
	}
	return signer, nil
}

func errNoPassphrase(path string, missing error) error {
	return configuration(fmt.Errorf("the private key %s is encrypted, and no passphrase is given: %w", path, missing),
		`name its passphrase with passphrase="file:…", or an ssh-agent that has the key with agent="…", `+
			"or a key without a passphrase that only this server uses")
}

func errWrongPassphrase(path string) error {
	return configuration(fmt.Errorf("the private key %s can't be opened: %w", path, ErrPassphrase),
		"correct the passphrase; try it with: ssh-keygen -y -f "+Quote(path))
}

// LoadPublicKey reads the public half of a key whose private half is elsewhere, in an agent: from the file itself where
// that is a public key, or an encrypted one of OpenSSH's, and otherwise from the file with .pub at its end. Errors are
// *failure.Error of the kind failure.Configuration.
func LoadPublicKey(path string) (ssh.PublicKey, error) {
	content, err := readSmall(path, maxKeyFile)
	if err == nil {
		if key, _, _, _, err := ssh.ParseAuthorizedKey(content); err == nil {
			return key, nil
		}
		var encrypted *ssh.PassphraseMissingError
		if _, err := ssh.ParsePrivateKey(content); errors.As(err, &encrypted) && encrypted.PublicKey != nil {
			return encrypted.PublicKey, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, configuration(fmt.Errorf("read the key: %w", err), "check the path and who may read it")
	}
	public := strings.TrimSuffix(path, ".pub") + ".pub"
	content, err = readSmall(public, maxKeyFile)
	if err != nil {
		return nil, configuration(fmt.Errorf("read the key: there is neither a key %s nor its public half: %w", path, err),
			"check the path and who may read it")
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		return nil, configuration(fmt.Errorf("%s is not a public key: %w", public, err),
			"write it anew: ssh-add -L prints the public keys of an agent")
	}
	return key, nil
}
