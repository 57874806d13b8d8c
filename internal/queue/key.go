package queue

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// keyMark is the file, among the queue's own, that says with which key they were written.
const keyMark = "key.sha256"

// Exists reports whether there is a queue in a folder.
func Exists(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, keyMark))
	return err == nil
}

// ownKey returns the key with which the queue in a folder is encrypted, 32 random bytes in hexadecimal digits. It is
// made with the queue. One that does not fit the queue, or is gone, is an ErrKey: JetStream would begin anew.
func ownKey(folder string) (string, error) {
	file := keyFile(folder)
	mark := filepath.Join(folder, keyMark)
	known, err := os.ReadFile(mark)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	key, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && known != nil:
		return "", fmt.Errorf("%w: %s is gone: put it back, or move %s away and lose what is in it", ErrKey, file, folder)
	case errors.Is(err, fs.ErrNotExist):
		if key, err = newKey(file); err != nil {
			return "", err
		}
	case err != nil:
		return "", err
	}
	key = bytes.TrimSpace(key)
	if raw, err := hex.DecodeString(string(key)); err != nil || len(raw) != 32 {
		return "", fmt.Errorf("%w: %s does not hold 64 hexadecimal digits", ErrKey, file)
	}
	sum := sha256.Sum256(key)
	print := []byte(hex.EncodeToString(sum[:]) + "\n")
	switch {
	case known == nil:
		return string(key), writeWhole(mark, print)
	case !bytes.Equal(known, print):
		return "", fmt.Errorf("%w: %s was written with another key than %s: put the other back, or move the folder away and lose what is in it",
			ErrKey, folder, file)
	}
	return string(key), nil
}

func newKey(file string) ([]byte, error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	key := []byte(hex.EncodeToString(raw) + "\n")
	return key, writeWhole(file, key)
}

// writeWhole writes a file that is there whole, and only its owner's, or not at all, whatever happens meanwhile.
func writeWhole(file string, content []byte) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary.Name()))
		}
	}()
	_, err = temporary.Write(content)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), file); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(file))
}
