// Package files reads log files: the channels "file:" and a path.
//
// One line is one record, and its id is the offset of its first byte in the file, plus one. Files of one log follow each
// other by rotation; each is an epoch of the channel. The reader keeps nothing on the host: the cursor says by file
// identity, offset and fingerprints of what was read where to go on, and the files that are there must be made sense of
// anew each time. What it promises:
//
//   - Every line once. A file that was renamed is read to its end under its own epoch, wherever it went in its folder, be
//     it compressed meanwhile (.gz, .bz2); then the next newer one, up to the live file. A copy that was made before the
//     file was truncated (copytruncate) takes the original's place. Which file holds the cursor is said by its content;
//     device and inode (the index on Windows) only choose between files that are alike.
//   - A line is read when its end is there. The last one of a file that has a successor is read without.
//   - A file is left for its successor when that has a line and nothing was written to the old one for a while (settle),
//     since daemons write to a renamed file until they are told to open the new one.
//   - What can't be found again is a gap, and a new epoch begins: after a truncation without a copy, a deletion, or when
//     the file was rotated away before its end was read. While a rotated file is read or waited for, the position says how
//     far the live one was written: if that is gone when its turn comes it is a gap, too.
//   - The same reading made twice gives the same ids, whatever was rotated in between.
//
// What it refuses: whatever is not a regular file behind its links, without opening it, and what is not within its Fence,
// without reading it. What it bounds: of one line
// report.MaxRaw bytes are kept, in memory too; the rest of a longer one is passed over, and the record is marked. Bytes of
// NUL at the beginning of a line, of which a file is full that was truncated under a writer who did not notice, are
// passed over likewise. Empty lines are no records.
//
// What it can't see: a log that is cut at its beginning, or edited, is read again from its beginning as a new epoch, with a
// gap. Rotated files that are moved to another folder are gone.
//
// Read opens files only for reading, and so that they can be renamed and deleted meanwhile, on Windows too. It may block
// as long as the file system does.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"muster/internal/client/logs"
	"muster/internal/report"
)

// settle is for how long nothing must have been written to a file before it is left for its successor.
const settle = 5 * time.Second

// attempts is how often a reading begins anew because files were renamed or truncated under it.
const attempts = 20

// Source returns the reader of files within a fence.
func Source(fence Fence) logs.Source {
	return logs.Source{
		Takes: func(channel string) bool { return strings.HasPrefix(channel, report.FileChannel) },
		Read:  func(ctx context.Context, q logs.Query) report.Logs { return read(ctx, q, fence) },
	}
}

// errMoved says that files were renamed, replaced or truncated while they were looked at: whoever gets it looks again.
var errMoved = errors.New("the files were renamed or truncated while they were read")

// Read reads the file that the query's channel names; see logs.Reader. The events of its filter do not apply.
func Read(ctx context.Context, q logs.Query) report.Logs { return read(ctx, q, nil) }

func read(ctx context.Context, q logs.Query, fence Fence) report.Logs {
	q.Filter.Events = nil
	path, err := pathOf(q.Channel)
	if err != nil {
		return unchanged(&q, err)
	}
	for range attempts {
		var answer report.Logs
		answer, err = readOnce(ctx, &q, path, fence)
		if err == nil {
			return answer
		}
		if ctx.Err() != nil {
			return tooLate(&q, err)
		}
		if !errors.Is(err, errMoved) {
			break
		}
	}
	return unchanged(&q, err)
}

// unchanged is the answer where nothing was read.
func unchanged(q *logs.Query, err error) report.Logs {
	return report.Logs{Channel: q.Channel, Epoch: q.Cursor.Epoch, Next: q.Cursor, Trouble: trouble(err)}
}

// tooLate is the answer where the time was over before the reading got to its place. The next one may have more time; that it
// did not get there is told each time, since there may never be enough.
func tooLate(q *logs.Query, err error) report.Logs {
	answer := unchanged(q, nil)
	answer.More = true
	if late := new(lateError); errors.As(err, &late) {
		answer.Trouble = &report.Trouble{Kind: report.TroubleSlow, Text: late.Error()}
	}
	return answer
}

// errUnsupported says that a channel can never be read.
var errUnsupported = errors.New("the channel can't be read")

// pathOf returns the path that a channel names.
func pathOf(channel string) (string, error) {
	path := strings.TrimPrefix(channel, report.FileChannel)
	if runtime.GOOS == "windows" {
		if rest := strings.TrimPrefix(path, "/"); filepath.VolumeName(rest) != "" {
			path = rest // as in a URL
		}
		if strings.HasPrefix(filepath.ToSlash(path), "//./") {
			return "", fmt.Errorf("%w: %s is a device", errUnsupported, report.Visible(path, report.MaxChannel))
		}
	}
	if !filepath.IsAbs(path) || strings.IndexByte(path, 0) >= 0 {
		return "", fmt.Errorf("%w: %s is not an absolute path on %s",
			errUnsupported, report.Visible(path, report.MaxChannel), runtime.GOOS)
	}
	return filepath.Clean(path), nil
}

// trouble says what an error means to whoever asked; of no error, nothing.
func trouble(err error) *report.Trouble {
	if err == nil {
		return nil
	}
	kind := report.TroubleFailed
	switch {
	case errors.Is(err, errUnsupported):
		kind = report.TroubleUnsupported
	case errors.Is(err, fs.ErrNotExist):
		kind = report.TroubleAbsent
	case errors.Is(err, fs.ErrPermission):
		kind = report.TroubleDenied
	}
	return &report.Trouble{Kind: kind, Text: err.Error()}
}

// irregular says what a path is that is no file.
func irregular(path string, mode fs.FileMode) error {
	what := "not a regular file"
	switch {
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		what = "a pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return fmt.Errorf("%s is %s: name a file", path, what)
}

// latest returns when a line of a file was written at the latest, which is also the time of a line that says none: when
// the file was last written to, unless that is in the future.
func latest(now time.Time, info os.FileInfo) time.Time {
	if written := info.ModTime(); written.Before(now) {
		return written.UTC()
	}
	return now.UTC()
}
