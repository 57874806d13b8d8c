package testserver

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// TestPrometheus: it scrapes, says what it can't scrape, and leaves nothing behind.
func TestPrometheus(t *testing.T) {
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "answer{question=\""+r.URL.Path+"\"} 42\n")
	}))
	defer good.Close()
	var folder string
	t.Run("running", func(t *testing.T) {
		p := Prometheus(t,
			PrometheusTarget{Job: "good", Address: good.Listener.Addr().String(), Path: "/page"},
			PrometheusTarget{Job: "bad", Address: "127.0.0.1:1", Path: "/page"})
		folder = p.server.Folder()
		got := p.Await(t, "answer", func(s []Series) bool { return len(s) == 1 })
		if got[0].Value != "42" || got[0].Labels["question"] != "/page" || got[0].Labels["job"] != "good" {
			t.Errorf("got %v", got)
		}
		p.Await(t, `up{job="bad"} == 0`, func(s []Series) bool { return len(s) == 1 })
		if problems := p.Problems(t); len(problems) != 1 || !strings.Contains(problems[0], "127.0.0.1:1") {
			t.Errorf("its problems are %q", problems)
		}
	})
	if folder == "" { // the program is missing
		return
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder is still there: %v", err)
	}
}
