package deploy

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"muster/internal/failure"
	"muster/internal/remote"
)

// files is what installing takes of a host's files. Its promises and failures are those of *remote.Files, which is the first
// to be asked for; shellFiles stands in for it where a host has a POSIX shell and no SFTP.
type files interface {
	RealPath(ctx context.Context, name string) (string, error)
	Stat(ctx context.Context, name string) (fs.FileInfo, error)
	List(ctx context.Context, folder string) ([]fs.FileInfo, error)
	Mkdir(ctx context.Context, folder string) error
	Upload(ctx context.Context, name string, content io.Reader, size int64, mode fs.FileMode) error
	Download(ctx context.Context, name string, limit int64) ([]byte, error)
	Rename(ctx context.Context, from, to string) error
	Remove(ctx context.Context, name string) error
}

// filesOf returns how to get at a host's files.
func filesOf(ctx context.Context, conn *remote.Conn, platform Platform) (files, error) {
	bySFTP, err := conn.Files(ctx)
	var failed *failure.Error
	switch {
	case err == nil:
		return bySFTP, nil
	case errors.As(err, &failed) && failed.Kind == failure.NoSFTP && platform.OS != "windows":
		return &shellFiles{conn: conn}, nil
	}
	return nil, err
}
