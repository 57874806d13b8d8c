package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// holding is an environment in which files hold documents, beside the fixture's own.
func holding(files map[string]string) Environment {
	environment := fixture()
	others := environment.ReadFile
	environment.ReadFile = func(path string, limit int) ([]byte, Access, error) {
		document, ok := files[filepath.ToSlash(path)]
		switch {
		case !ok:
			return others(path, limit)
		case len(document) > limit:
			return nil, Access{}, fmt.Errorf("larger than %d bytes", limit)
		}
		mode := fs.FileMode(0o600)
		if strings.Contains(path, "public") {
			mode = 0o644
		}
		return []byte(document), Access{Mode: mode}, nil
	}
	environment.Glob = func(pattern string) ([]string, error) {
		var found []string
		for path := range files {
			if ok, err := filepath.Match(pattern, path); err != nil {
				return nil, err
			} else if ok {
				found = append(found, path)
			}
		}
		return found, nil // in no order
	}
	return environment
}

// TestIncludedHosts is about what an included host inherits, and where its relative paths begin.
func TestIncludedHosts(t *testing.T) {
	environment := holding(map[string]string{
		"/etc/muster/d/a.xml":       muster(`<group name="inner"><host address="a1"/><include file="e/*"/></group><limit statistic="cpu.usage" above="90%"/>`),
		"/etc/muster/d/e/e.xml":     muster(`<host address="e1" key="k, ~/l" password="file:e.pass"/><timeouts dial="3s"/>`),
		"/etc/muster/d/e.pass":      "wrong\n",
		"/etc/muster/d/b.xml":       muster(`<host address="b1"/>`),
		"/etc/muster/d/.hidden":     "not XML",
		"/etc/muster/d/.hidden.xml": "not XML",
	})
	inner := environment.ReadFile
	environment.ReadFile = func(path string, limit int) ([]byte, Access, error) {
		if path == "/etc/muster/d/e/e.pass" {
			return []byte("deep"), Access{Mode: 0o600}, nil
		}
		return inner(path, limit)
	}
	c, err := Parse(file, []byte(muster(`
<host address="first" key="k"/>
<group name="outer" key="k" user="u"><include file="d/*.xml"/><host address="own"/></group>
<host address="last" key="k"/>`)), environment)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range c.Hosts {
		got = append(got, fmt.Sprintf("%s %v %s %v limits:%d dial:%v", h.Address, h.Groups, h.User, h.Keys, len(h.Limits), h.Timeouts.Dial))
	}
	want := []string{
		"first [] alice [/etc/muster/k] limits:3 dial:10s",
		"a1 [outer inner] u [/etc/muster/k] limits:4 dial:3s",
		"e1 [outer inner] u [/etc/muster/d/e/k /home/alice/l] limits:4 dial:3s",
		"b1 [outer] u [/etc/muster/k] limits:4 dial:10s",
		"own [outer] u [/etc/muster/k] limits:4 dial:10s",
		"last [] alice [/etc/muster/k] limits:3 dial:10s",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if c.Hosts[2].Password.Reveal() != "deep" {
		t.Error("the password is another file's")
	}
}

// TestMistakesInIncludedFiles wants each with its own file, line and column, in the order of the whole.
func TestMistakesInIncludedFiles(t *testing.T) {
	environment := holding(map[string]string{
		"/etc/muster/d/a.xml":      muster(`<host address="a1" prot="x"/>` + "\n" + `<server/><host address="taken"/>`),
		"/etc/muster/d/b.xml":      muster(`<host address="b1" key="k" password="literal"/>`),
		"/etc/muster/d/public.xml": muster(`<host address="c1" key="k" password="hunter2"/>`),
		"/etc/muster/d/z.xml":      "<muster",
		"/etc/muster/d/y.xml":      `<group xmlns="` + Namespace + `"/>`,
		"/etc/muster/loop.xml":     muster(`<group><include file="loop.xml"/></group>`),
		"/etc/muster/limits.xml":   muster(`<limit statistic="cpu.usage" above="1%"/><timeouts/>`),
	})
	got := ""
	_, err := Parse("sub/../"+filepath.Base(file), []byte(muster(`<group x="1" key="k">
<include file="d/a.xml"/>
<include file="d/b.xml"/><include file="d/public.xml"/>
<include file="d/z.xml"/><include file="d/y.xml"/>
<include file="missing.xml"/><include file="loop.xml"/>
<include file="limits.xml"/><include file="limits.xml"/>
<host address="taken" y="1"/></group>`)), relativeTo(environment, "/etc/muster"))
	if err != nil {
		here, _ := filepath.Abs(".")
		got = strings.ReplaceAll(err.Error(), here, "/etc/muster")
	}
	want := []string{
		`sub/../muster.xml:2:8: unknown attribute "x" of <group>`,
		`d/a.xml:2:20: unknown attribute "prot" of <host>: did you mean port?`,
		`d/a.xml:3:1: <server> stands in the configuration itself, not in a file that is included`,
		`d/public.xml:2:28: password of <host>: others can read this file (its mode is 0644), so it may hold no password: chmod 600 it, or say env:NAME or file:PATH`,
		`d/z.xml:1:1: not well-formed XML: the document ends within what begins here`,
		`d/y.xml:1:1: the root element is <group>: it must be <muster xmlns="urn:muster:config:1">`,
		`sub/../muster.xml:6:10: file="missing.xml" of <include>: the file "/etc/muster/missing.xml" can't be read: file does not exist`,
		`loop.xml:2:17: file="loop.xml" of <include>: "/etc/muster/loop.xml" would include itself`,
		`limits.xml:2:1: a second <limit> on the same side of the same statistic and instance: the first is on line 2 of "limits.xml"`,
		`limits.xml:2:42: a second <timeouts>: the first is on line 2 of "limits.xml"`,
		`sub/../muster.xml:8:7: address="taken" of <host>: the host on line 3 of "d/a.xml" is called "taken" too: give one of them a name="…" of its own`,
		`sub/../muster.xml:8:23: unknown attribute "y" of <host>`,
	}
	lines := strings.Split(got, "\n")
	matches := slices.EqualFunc(lines, want, strings.HasPrefix)
	if !matches || strings.Contains(got, "hunter2") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// relativeTo makes what is read below the current folder what lies below another.
func relativeTo(environment Environment, folder string) Environment {
	here, err := filepath.Abs(".")
	if err != nil {
		panic(err)
	}
	inner := environment.ReadFile
	environment.ReadFile = func(path string, limit int) ([]byte, Access, error) {
		return inner(strings.Replace(path, here, folder, 1), limit)
	}
	return environment
}

func TestBoundsOfInclude(t *testing.T) {
	files := map[string]string{"/etc/muster/big.xml": muster(strings.Repeat(" ", 40_000))}
	for i := range 10 {
		files[fmt.Sprintf("/etc/muster/%d.xml", i)] = muster(fmt.Sprintf(`<include file="%d.xml"/>`, i+1))
		files[fmt.Sprintf("/etc/muster/bomb%d.xml", i)] = muster(strings.Repeat(fmt.Sprintf(`<include file="bomb%d.xml"/>`, i+1), 10))
	}
	files["/etc/muster/bomb9.xml"] = muster("")
	for document, want := range map[string]string{
		`<include file="0.xml"/>`:                            "files include each other more than 8 deep",
		`<include file="bomb6.xml"/>`:                        "more than 10000 files are included",
		`<include file="big.xml"/><include file="big.xml"/>`: "has at most 64 MiB, with what it includes",
		`<include file="bomb8.xml"/>`:                        "",
		`<include file="big.xml"/>`:                          "",
	} {
		notes := &notes{}
		first := notes.enter(&source{file: file, document: []byte(muster(document)), folder: filepath.Dir(file)})
		r := &resolver{notes: notes, environment: holding(files)}
		(&includer{resolver: r, bytes: 70_000, files: 100}).include(&read(first, notes).contents)
		got := notes.mistakes()
		if want == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || !strings.Contains(got[0].Message, want) {
			t.Errorf("%s: %d mistakes, %.500q", document, len(got), got)
		}
	}
}

func TestWrongIncludes(t *testing.T) {
	for document, want := range map[string]string{
		`<include file="["/>`: "a [ is not closed",
		`<include file=""/>`:  "must not be empty",
		`<include/>`:          `<include> lacks file="…"`,
		`<host address="a" key="k"><include file="0.xml"/></host>`: "<include> does not belong in <host>: it stands in <muster> or <group>",
	} {
		got := mistakesIn(t, muster(document), fixture())
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q", document, got)
		}
	}
	c, err := Parse(file, []byte(muster(`<host address="a" key="k"/><include file="none/*.xml"/>`)), holding(nil))
	if err != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, "there is no such file") {
		t.Errorf("%v, %v", c, err)
	}
}

// TestLoadIncludes reads real files.
func TestLoadIncludes(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a [folder]")
	if runtime.GOOS == "windows" {
		folder = t.TempDir() // where no pattern matches a bracket
	}
	files := map[string]string{
		"muster.xml":          muster(`<server data="d"/><group key="k" known-hosts="h"><include file="hosts.d/*.xml"/></group>`),
		"hosts.d/1.xml":       muster(`<host address="one"/>`),
		"hosts.d/2.xml":       muster(`<host address="two" password="literal"/>`),
		"hosts.d/.#2.xml":     "x",
		"hosts.d/readme.text": "x",
	}
	for name, text := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	main, second := filepath.Join(folder, "muster.xml"), filepath.Join(folder, "hosts.d", "2.xml")
	c, err := Load(main)
	if err != nil || len(c.Hosts) != 2 || c.Hosts[1].Address != "two" {
		t.Fatalf("%+v, %v", c, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(second, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(main); err == nil || !strings.HasPrefix(err.Error(), second+":2:21: password of <host>: others can read this file") {
		t.Errorf("a secret that others can read: %v", err)
	}
}

// TestOrderOfOffsets compares positions in files that include each other with those in one file that holds it all.
func TestOrderOfOffsets(t *testing.T) {
	n := &notes{}
	main := n.enter(&source{document: make([]byte, 100)})
	a := n.enter(&source{document: make([]byte, 50), parent: main, at: main.base + 30})
	b := n.enter(&source{document: make([]byte, 10), parent: a, at: a.base + 20})
	c := n.enter(&source{document: make([]byte, 10), parent: main, at: main.base + 60})
	empty := n.enter(&source{parent: main, at: main.base + 70})
	inOrder := []int{main.base, main.base + 30, a.base, a.base + 20, b.base, b.base + 9, a.base + 21, a.base + 49, main.base + 31,
		c.base, c.base + 10, main.base + 61, empty.base, main.base + 99}
	for i, x := range inOrder {
		for j, y := range inOrder {
			if got := n.compare(x, y); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%d and %d: %d", i, j, got)
			}
		}
	}
	for _, s := range n.sources {
		if n.source(s.base) != s || n.source(s.base+len(s.document)) != s {
			t.Errorf("an offset of the document at %d is found in another", s.base)
		}
	}
}
