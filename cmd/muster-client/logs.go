package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"muster/internal/client/logs"
	"muster/internal/client/logs/files"
	"muster/internal/report"
)

// maxList is how long the list of logs may be that an installed client reads.
const maxList = 64 << 10

// allowed returns the sources of an installed client, which reads no logs but those that an administrator has named in a file
// beside it. Where there is no such file, it reads whatever its user may; as root that would be any file of the host, for
// whoever has the key, so then it reads none. Files that are named must be in the folders where they are named, and not
// behind a link that somebody put there who may write to such a folder.
func allowed(program string, root bool, sources func(files.Fence) []logs.Source) []logs.Source {
	if extension := filepath.Ext(program); strings.EqualFold(extension, ".exe") {
		program = strings.TrimSuffix(program, extension)
	}
	list := program + ".logs"
	named, err := readList(list)
	why := fmt.Errorf("on this host the client reads only the logs that %s names: have its administrator add this one", list)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !root:
		return sources(nil)
	case errors.Is(err, fs.ErrNotExist):
		why = fmt.Errorf("an installed client that runs as root reads only the logs that %s names, and there is no such file", list)
	case err != nil:
		why = fmt.Errorf("which logs the client may read on this host can't be read: %w", err)
	}
	isNamed := func(channel string) bool {
		return slices.ContainsFunc(named, func(name string) bool { return sameChannel(name, channel) })
	}
	limited := []logs.Source{{
		Takes: func(channel string) bool { return !isNamed(channel) },
		Read:  func(_ context.Context, q logs.Query) report.Logs { return refused(&q, why) },
	}}
	for _, source := range sources(folders(named)) {
		takes := source.Takes
		source.Takes = func(channel string) bool { return isNamed(channel) && takes(channel) }
		limited = append(limited, source)
	}
	return limited
}

// folders returns those of the files among channels.
func folders(channels []string) files.Fence {
	fence := files.Fence{}
	for _, channel := range channels {
		if path, isFile := strings.CutPrefix(channel, report.FileChannel); isFile {
			fence = append(fence, filepath.Dir(path))
		}
	}
	return fence
}

// readList returns the channels in a list: one a line, and lines that begin with # are comments.
func readList(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxList+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxList {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxList)
	}
	var channels []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			channels = append(channels, line)
		}
	}
	return channels, nil
}

// sameChannel compares channels as those who read them do: case counts in the names of files alone.
func sameChannel(a, b string) bool {
	return a == b || !strings.HasPrefix(a, report.FileChannel) && strings.EqualFold(a, b)
}

// refused is the answer of a log that may not be read.
func refused(q *logs.Query, why error) report.Logs {
	return report.Logs{
		Channel: q.Channel, Epoch: q.Cursor.Epoch, Next: q.Cursor,
		Trouble: &report.Trouble{Kind: report.TroubleFailed, Text: why.Error()},
	}
}
