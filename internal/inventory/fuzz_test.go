package inventory

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// seeds adds the inventories of testdata to a fuzz target.
func seeds(f *testing.F, add func(name string, content []byte)) {
	f.Helper()
	paths, err := filepath.Glob("testdata/*.*")
	if err != nil || len(paths) < 5 {
		f.Fatalf("%d seeds, %v", len(paths), err)
	}
	for _, path := range append(paths, "testdata/ssh_config") {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		add(filepath.Base(path), content)
	}
}

// FuzzRead looks for panics, for what is neither an inventory nor an error with a place, and for what breaks a comment or a
// log.
func FuzzRead(f *testing.F) {
	seeds(f, func(name string, content []byte) { f.Add(name, content) })
	f.Add("hosts", []byte("web[01:20]:22 ansible_host={{ inventory_hostname }}\n"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		in, err := Read(Options{File: name, Content: content})
		check(t, in, err, strings.Count(string(content), "\n")+2)
	})
}

// FuzzJSON does the same for what a command prints.
func FuzzJSON(f *testing.F) {
	seeds(f, func(name string, content []byte) {
		if strings.HasSuffix(name, ".json") {
			f.Add(content)
		}
	})
	f.Add([]byte(`{"a":{"hosts":{"b":null},"children":["c"],"vars":{"ansible_ssh_common_args":"-J x"}},"c":["d"]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		in, err := JSON(content)
		check(t, in, err, strings.Count(string(content), "\n")+2)
	})
}

func check(t *testing.T, in *Inventory, err error, lines int) {
	t.Helper()
	if err != nil {
		var ours *Error
		if in != nil || !errors.As(err, &ours) || ours.Message == "" || ours.Line < 0 || ours.Line > lines ||
			strings.ContainsFunc(ours.Message, unicode.IsControl) {
			t.Fatalf("%v, %q", in, err)
		}
		return
	}
	hosts := map[*Host]bool{}
	var walk func(g *Group, depth int)
	walk = func(g *Group, depth int) {
		if depth > deepest+1 {
			t.Fatal("groups are nested without a bound")
		}
		for _, h := range g.Hosts {
			if hosts[h] || h.Line < 0 || h.Line > lines || h.Value("address") == "" && h.Left == "" {
				t.Fatalf("%+v", h)
			}
			hosts[h] = true
			for _, remark := range append(h.Remarks, h.Left) {
				if strings.ContainsFunc(remark, unicode.IsControl) {
					t.Fatalf("%q", remark)
				}
			}
		}
		for _, inner := range g.Groups {
			walk(inner, depth+1)
		}
	}
	walk(&in.Root, 0)
	if in.Root.Count() != len(hosts) {
		t.Errorf("%d hosts are counted as %d", len(hosts), in.Root.Count())
	}
}
