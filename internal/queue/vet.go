package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// vet returns an error where JetStream could not open a file of a stream, or write into a stream's folder. It is called while
// JetStream does not run, and returns the folders of the streams.
//
// JetStream deletes a stream, with all that waits in it, where anything fails while it reads that: one file that belongs to
// another user, as after a command that root has run, is enough. So it is not started then.
func vet(folder string) (streams []string, err error) {
	if streams, err = streamsIn(folder); err != nil {
		return nil, unopenable(err)
	}
	for _, stream := range streams {
		if err := vetStream(stream); err != nil {
			return nil, unopenable(err)
		}
	}
	return streams, nil
}

func vetStream(folder string) error {
	trial, err := os.CreateTemp(folder, trialPrefix)
	if err != nil {
		return err
	}
	if err := errors.Join(trial.Close(), os.Remove(trial.Name())); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	err = fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		file, err := root.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
		return file.Close()
	})
	return errors.Join(err, root.Close())
}

func unopenable(err error) error {
	return fmt.Errorf("what waits there would be lost if JetStream began: see that the user that muster runs as can read and write "+
		"all files there: %w", err)
}

// lost returns an error where a stream is no longer there that was before JetStream began.
func lost(streams []string) error {
	var gone []string
	for _, stream := range streams {
		if _, err := os.Stat(stream); errors.Is(err, fs.ErrNotExist) {
			gone = append(gone, filepath.Base(stream))
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return fmt.Errorf("JetStream could not read %s and has deleted it, with what waited there: see the log; the next start begins anew",
		strings.Join(gone, ", "))
}
