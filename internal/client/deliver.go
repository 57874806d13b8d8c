package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"muster/internal/client/bound"
	"muster/internal/report"
)

// checkFile accepts no name (the report goes to standard output) and names that can mean nothing but a new file in the
// client's own folder, on every platform. report.ReadRequest checks names too; what is written where is checked here,
// where it is written.
func checkFile(name string) error {
	if name == "" {
		return nil
	}
	letters := "abcdefghijklmnopqrstuvwxyz" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "0123456789" + "._-"
	if strings.Trim(name, letters) != "" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") ||
		strings.Contains(name, "..") || strings.HasSuffix(name, ".") || !filepath.IsLocal(name) {
		return fmt.Errorf("%w: %.100q cannot be the name of the report's file", ErrRequest, name)
	}
	return nil
}

// deliver writes the sealed report to standard output, or to the file and its frame to standard output. It returns
// when that is done, when it has failed, or when ctx ends, though the other end may never read.
func deliver(ctx context.Context, file string, sealed []byte, o Options) error {
	if file == "" {
		return bound.Do(ctx, func(context.Context) error { return report.WriteFrame(o.Stdout, sealed) })
	}
	if o.Directory == "" {
		return errors.New("write the report's file: the folder of the client is not known")
	}
	path := filepath.Join(o.Directory, file)
	var created atomic.Bool
	err := bound.Do(ctx, func(context.Context) error { return writeNew(path, sealed, &created) })
	if err == nil {
		err = bound.Do(ctx, func(context.Context) error { return report.WriteFileFrame(o.Stdout, sealed) })
	}
	if err != nil && created.Load() {
		remove(ctx, path)
	}
	return err
}

// writeNew writes a file that must not exist yet, for the user alone. It says when there is something to remove.
func writeNew(path string, content []byte, created *atomic.Bool) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the report's file: %w", err)
	}
	created.Store(true)
	_, err = file.Write(content)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the report's file: %w", err)
	}
	return nil
}

// remove removes the file even though ctx may have ended, but does not wait for a file system that does not answer.
func remove(ctx context.Context, path string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = bound.Do(ctx, func(context.Context) error { return os.Remove(path) }) // there is nobody to be told, or worse to tell
}
