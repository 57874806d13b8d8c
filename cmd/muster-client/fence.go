package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"muster/internal/client/logs/files"
)

const (
	// listEnding is added to the program's path: there an administrator lists which log files may be read.
	listEnding = ".logs"
	maxList    = 64 << 10 // bytes of the list
)

// fence returns which files the client may read as logs. A server that put the client there can run any program as its
// user, and so may have it read what it wants. One that an administrator installed may run as root for a key that is good
// for nothing else: it reads what that administrator lists, and without a list what is below /var/log.
func fence() files.Fence {
	program, err := os.Executable()
	if err == nil && isUploaded(program) {
		return files.Fence{}
	}
	list := program + listEnding
	fence := files.Fence{Closed: true, Advice: "list its folder in " + list}
	open, err := readList(list)
	switch {
	case err == nil:
		fence.Open = open
	case !os.IsNotExist(err):
		fence.Advice = fmt.Sprintf("the list of what may be read is not readable: %v", err)
	case runtime.GOOS != "windows":
		fence.Open = []string{"/var/log"}
	}
	return fence
}

// readList reads absolute paths of files and folders, one in a line. Empty lines, those that begin with "#" and relative
// paths count for nothing.
func readList(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxList+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxList {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxList)
	}
	var paths []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); filepath.IsAbs(line) {
			paths = append(paths, filepath.Clean(line))
		}
	}
	return paths, nil
}
