package controller

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// lockData creates the data directory and locks it, so that two servers never work on the same alerts. The lock ends
// with the process, however it ends.
func lockData(folder string) (io.Closer, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(folder, "lock"), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("another muster is at work on it: wait for its end, stop it, or name another directory with <server data=…/>")
	}
	return lock, nil
}
