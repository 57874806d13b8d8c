package remote

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // the default of PBKDF2 in files of old: those who have one want it opened
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/crypto/ssh"
)

// An encrypted key in PKCS #8, "BEGIN ENCRYPTED PRIVATE KEY", as OpenSSL and ssh-keygen -m PKCS8 write it: RFC 5958,
// encrypted by PBES2 of RFC 8018 with PBKDF2 and AES in CBC mode. The SSH library does not read it.

const pkcs8Block = "ENCRYPTED PRIVATE KEY"

// maxRounds bounds the work that a key file asks for; OpenSSL's default is 2,048, and a million takes half a second.
const maxRounds = 10_000_000

var errPKCS8 = errors.New("it is encrypted in a way that is not known here")

// encryptedKey is EncryptedPrivateKeyInfo.
type encryptedKey struct {
	Algorithm struct {
		ID         asn1.ObjectIdentifier
		Parameters pbes2
	}
	Data []byte
}

// pbes2 is PBES2-params.
type pbes2 struct {
	Derivation struct {
		ID         asn1.ObjectIdentifier
		Parameters struct {
			Salt   []byte
			Rounds int
			Length int                      `asn1:"optional"`
			Hash   pkix.AlgorithmIdentifier `asn1:"optional"`
		}
	}
	Cipher struct {
		ID asn1.ObjectIdentifier
		IV []byte
	}
}

func isEncryptedPKCS8(content []byte) bool {
	block, _ := pem.Decode(content)
	return block != nil && block.Type == pkcs8Block
}

func openPKCS8(path string, content []byte, passphrase string) (ssh.Signer, error) {
	block, _ := pem.Decode(content)
	plain, err := decryptPKCS8(block.Bytes, passphrase)
	if errors.Is(err, ErrPassphrase) {
		return nil, errWrongPassphrase(path)
	}
	if err == nil {
		var key any
		if key, err = x509.ParsePKCS8PrivateKey(plain); err != nil {
			return nil, errWrongPassphrase(path) // the padding was right by chance
		}
		var signer ssh.Signer
		if signer, err = ssh.NewSignerFromKey(key); err == nil {
			return signer, nil
		}
	}
	return nil, configuration(fmt.Errorf("the private key %s can't be opened: %w", path, err),
		"write it in OpenSSH's own format: ssh-keygen -p -f "+Quote(path))
}

func decryptPKCS8(der []byte, passphrase string) ([]byte, error) {
	var key encryptedKey
	if rest, err := asn1.Unmarshal(der, &key); err != nil || len(rest) > 0 {
		return nil, errPKCS8
	}
	derivation := &key.Algorithm.Parameters.Derivation
	length := aesLength(key.Algorithm.Parameters.Cipher.ID)
	sum := hashOf(derivation.Parameters.Hash.Algorithm)
	iv := key.Algorithm.Parameters.Cipher.IV
	switch {
	case key.Algorithm.ID.String() != "1.2.840.113549.1.5.13", // PBES2
		derivation.ID.String() != "1.2.840.113549.1.5.12", // PBKDF2
		length == 0, sum == nil, len(iv) != aes.BlockSize,
		derivation.Parameters.Rounds < 1, derivation.Parameters.Rounds > maxRounds,
		len(key.Data) == 0, len(key.Data)%aes.BlockSize != 0:
		return nil, errPKCS8
	}
	secret, err := pbkdf2.Key(sum, passphrase, derivation.Parameters.Salt, derivation.Parameters.Rounds, length)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(key.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, key.Data)
	return unpad(plain)
}

// unpad removes the padding of RFC 8018, section 6.1.1, which is wrong where the passphrase is.
func unpad(plain []byte) ([]byte, error) {
	n := int(plain[len(plain)-1])
	if n < 1 || n > aes.BlockSize {
		return nil, ErrPassphrase
	}
	for _, b := range plain[len(plain)-n:] {
		if int(b) != n {
			return nil, ErrPassphrase
		}
	}
	return plain[:len(plain)-n], nil
}

// aesLength returns the length of the key of an AES in CBC mode; 0 for any other cipher.
func aesLength(id asn1.ObjectIdentifier) int {
	switch id.String() {
	case "2.16.840.1.101.3.4.1.2":
		return 16
	case "2.16.840.1.101.3.4.1.22":
		return 24
	case "2.16.840.1.101.3.4.1.42":
		return 32
	}
	return 0
}

// hashOf returns the hash under an HMAC; nil for one that is not known. None named means SHA-1.
func hashOf(id asn1.ObjectIdentifier) func() hash.Hash {
	switch id.String() {
	case "", "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}
