package client

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"muster/internal/client/bound"
	"muster/internal/report"
)

const (
	tidyMost  = time.Second // how long the tidying may keep a report back
	tidyFiles = 100         // files that one pass removes
)

// tidy removes what a server that was killed, or a connection that broke, left in the client's folder long ago: uploads
// and reports that nobody is at work on any more. What can't be removed stays; nothing else is touched.
func tidy(ctx context.Context, folder string, now time.Time) {
	if folder == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tidyMost)
	defer cancel()
	_ = bound.Do(ctx, func(context.Context) error {
		files, err := os.ReadDir(folder)
		removed := 0
		for _, f := range files {
			if removed < tidyFiles && isLeftover(f, now) && os.Remove(filepath.Join(folder, f.Name())) == nil {
				removed++
			}
		}
		return err
	})
}

func isLeftover(f os.DirEntry, now time.Time) bool {
	if !strings.HasPrefix(f.Name(), report.UploadPrefix) && !strings.HasPrefix(f.Name(), report.FilePrefix) || !f.Type().IsRegular() {
		return false
	}
	info, err := f.Info()
	return err == nil && now.Sub(info.ModTime()) > report.LeftoverAge
}
