package queue_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/queue"
)

// JetStream deletes a stream of which it can't open a file, with all that waits in it: it is not to begin then.
func TestAFileThatCannotBeOpened(t *testing.T) {
	for _, name := range []string{"meta.key", "msgs/1.blk", "msgs/1.key"} {
		for _, stream := range []string{"MUSTER", "MUSTER_TABLE_mails"} {
			t.Run(stream+"/"+name, func(t *testing.T) {
				o := options(t)
				filled(t, o)
				folder := filepath.Join(o.Folder, "jetstream", "$G", "streams", stream)
				file := filepath.Join(folder, filepath.FromSlash(name))
				saved := file + ".saved"
				// A link to itself nobody can open, root included.
				if err := errors.Join(os.Rename(file, saved), os.Symlink(filepath.Base(file), file)); err != nil {
					t.Skipf("no symbolic links: %v", err)
				}
				for range 2 {
					q, err := queue.Open(t.Context(), o)
					if err == nil {
						q.Close()
						t.Fatal("what waited there is lost")
					}
					if !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), name) {
						t.Errorf("the error does not name the file: %v", err)
					}
				}
				if err := os.Rename(saved, file); err != nil {
					t.Fatal(err)
				}
				complete(t, o, "store")
			})
		}
	}
}
