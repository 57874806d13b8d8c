//go:build !windows

package queue

import (
	"errors"
	"os"
)

// syncFolder makes names in a folder as durable as the files.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
