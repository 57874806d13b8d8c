package client_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/client/stats"
)

func TestOldLeftoversAreRemoved(t *testing.T) {
	p := &pass{request: newRequest(), sources: []stats.Source{gives("load", load(1))}, folder: t.TempDir()}
	keep := []string{".muster-upload-new", "muster-client-0123", "muster-report-new", "precious"}
	for _, name := range append([]string{".muster-upload-old", "muster-report-old"}, keep...) {
		path := filepath.Join(p.folder, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		age := 2 * time.Hour
		if strings.HasSuffix(name, "new") {
			age = 50 * time.Minute
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(p.folder, "muster-report-folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(p.folder, "muster-report-folder"), time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := <-p.start(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(p.folder)
	var names []string
	for _, f := range left {
		names = append(names, f.Name())
	}
	want := append(slices.Clone(keep), "muster-report-folder")
	slices.Sort(want)
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("left are %q, want %q (%v)", names, want, err)
	}
}
