package deploy_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/sshtest"
)

func TestInstallTidies(t *testing.T) {
	h := newHost(t, nil)
	if err := os.MkdirAll(h.cache(), 0o700); err != nil {
		t.Fatal(err)
	}
	const hour, day = time.Hour, 24 * time.Hour
	kept := map[string]time.Duration{
		"muster-client-0123456789abcdef":     6 * day,
		".muster-upload-1122334455667788":    50 * time.Minute,
		"muster-report-of-a-visit-right-now": time.Minute,
		"somebody-else's":                    365 * day,
	}
	removed := map[string]time.Duration{
		"muster-client-fedcba9876543210":      8 * day,
		"muster-client-fedcba9876543211.exe":  8 * day,
		".muster-upload-8877665544332211":     2 * hour,
		"muster-report-of-a-visit-of-old":     2 * hour,
		"muster-report-01jz0000000000000000a": 40 * day,
	}
	for _, set := range []map[string]time.Duration{kept, removed} {
		for name, age := range set {
			path := filepath.Join(h.cache(), name)
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			when := time.Now().Add(-age)
			if err := os.Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
		}
	}
	folder := filepath.Join(h.cache(), "muster-client-a-folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(folder, time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}

	installed := install(t, h, scripts(t, "1.0"), "")
	want := []string{"muster-client-a-folder", filepath.Base(installed.Command)}
	for name := range kept {
		want = append(want, name)
	}
	slices.Sort(want)
	if got := files(t, h.cache()); !slices.Equal(got, want) {
		t.Errorf("the folder holds %q,\nwant %q", got, want)
	}
}

// What is old is for the host's clock to say, here one that is a month behind.
func TestInstallTidiesByTheHostsClock(t *testing.T) {
	const behind = 30 * 24 * time.Hour
	h := newHost(t, func(o *sshtest.Options) {
		o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			if client, ok := strings.CutSuffix(s.Command, " --version"); ok {
				then := time.Now().Add(-behind)
				_ = os.Chtimes(client, then, then)
			}
			return sshtest.Shell(ctx, s)
		}
	})
	if err := os.MkdirAll(h.cache(), 0o700); err != nil {
		t.Fatal(err)
	}
	young := filepath.Join(h.cache(), "muster-client-0123456789abcdef")
	if err := os.WriteFile(young, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-behind - 24*time.Hour)
	if err := os.Chtimes(young, then, then); err != nil {
		t.Fatal(err)
	}
	install(t, h, scripts(t, "1.0"), "")
	if _, err := os.Stat(young); err != nil {
		t.Errorf("a version of the day before is gone: %v", err)
	}
}
