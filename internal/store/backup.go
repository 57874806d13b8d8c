package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// ErrNoBackup says that the engine has its own tools for backups. It is said before anything is done.
var ErrNoBackup = errors.New("only SQLite is backed up by this program")

// Backup writes a copy of a SQLite database, as it is at one moment, while others may write; they are not delayed, but
// the write-ahead log grows for as long. The copy is compact, whole, and readable by this user alone. It appears at path
// when it is on the disk; until then, and after a failure, nothing is there. A file that exists is never overwritten.
//
// It returns the size of the copy. Errors: ErrNoBackup, fs.ErrExist, the operating system's; ErrUnavailable; ctx's.
func (s *Store) Backup(ctx context.Context, path string) (size int64, err error) {
	if s.engine.copy == nil {
		return 0, fmt.Errorf("%s: %w", s.engine.place, ErrNoBackup)
	}
	if _, err := os.Lstat(path); err == nil {
		return 0, &fs.PathError{Op: "back up to", Path: path, Err: fs.ErrExist}
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part") // for this user alone
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, removeIfThere(temporary.Name())) }()
	if err := temporary.Close(); err != nil {
		return 0, err
	}
	if err := s.engine.copy(ctx, s.pool, temporary.Name()); err != nil {
		return 0, s.engine.fail(ctx, "back up", err)
	}
	if size, err = syncFile(temporary.Name()); err != nil {
		return 0, err
	}
	if err := publish(temporary.Name(), path); err != nil {
		return 0, err
	}
	return size, syncFolder(filepath.Dir(path))
}

// sqliteCopy writes the database into an empty file. It reads in one transaction, beside which others write.
func sqliteCopy(ctx context.Context, pool *sql.DB, path string) error {
	_, err := pool.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}

// publish gives a file its name, if nobody else has it.
func publish(temporary, path string) error {
	err := os.Link(temporary, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// There are file systems without links.
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "back up to", Path: path, Err: fs.ErrExist}
	}
	return os.Rename(temporary, path)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncFile waits until a file is on the disk, and returns its size.
func syncFile(path string) (int64, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	info, err := file.Stat()
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// syncFolder waits until the names in a folder are on the disk. Windows can't, and need not.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
