package draft

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"muster/internal/config"
	"muster/internal/inventory"
)

// written returns the draft for an inventory, and the configuration that it is.
func written(t testing.TB, name, content string) (*Draft, *config.Config) {
	t.Helper()
	in, err := inventory.Read(inventory.Options{File: name, Content: []byte(content)})
	if err != nil {
		t.Fatal(err)
	}
	return draftOf(t, in, name)
}

func draftOf(t testing.TB, in *inventory.Inventory, name string) (*Draft, *config.Config) {
	t.Helper()
	d, err := Write(in, name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("muster.xml", d.Document, lenient())
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, d.Document)
	}
	if len(c.Hosts) != d.Hosts || d.Hosts+d.Left != in.Root.Count() {
		t.Errorf("%d hosts and %d in comments, of %d: the configuration has %d", d.Hosts, d.Left, in.Root.Count(), len(c.Hosts))
	}
	return d, c
}

// TestGolden compares whole documents, which a reader has looked at.
func TestGolden(t *testing.T) {
	for _, name := range []string{"hosts.ini", "hosts.yml", "ssh_config", "hosts.csv", "hosts.txt", "list.json"} {
		folder := filepath.Join("..", "testdata")
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		in, err := inventory.Read(inventory.Options{File: name, Content: content, Folder: os.DirFS(folder)})
		if err != nil {
			t.Fatal(err)
		}
		d, _ := draftOf(t, in, name)
		golden := filepath.Join("testdata", name+".xml")
		want, err := os.ReadFile(golden)
		if err != nil || string(want) != string(d.Document) {
			t.Errorf("%s: got\n%s\nwant\n%s%v", golden, d.Document, want, err)
		}
		for _, line := range strings.Split(string(d.Document), "\n") {
			if utf8.RuneCountInString(line) > 120 || strings.TrimRight(line, " ") != line {
				t.Errorf("%s: a line is too long, or ends in blanks: %q", name, line)
			}
		}
		if strings.Contains(string(d.Document), "hunter2") {
			t.Errorf("%s: a password is in the configuration", name)
		}
	}
}

// TestWhatHostsBecome compares what the written configuration says of hosts with what the inventory says.
func TestWhatHostsBecome(t *testing.T) {
	_, c := written(t, "hosts.ini", `
lone
[web]
w[1:2] ansible_user=deploy ansible_port=2222
[db]
d1 ansible_host=10.0.0.1 ansible_ssh_private_key_file=~/.ssh/db
d2 ansible_ssh_private_key_file=/k/d2 ansible_ssh_common_args="-J d1"
[site:children]
web
db
`)
	var got []string
	for _, h := range c.Hosts {
		via := ""
		if h.Via != nil {
			via = h.Via.Name
		}
		got = append(got, fmt.Sprint(h.Name, " ", h.Groups, " ", h.User, "@", h.Address, ":", h.Port, " ", h.Keys, via))
	}
	want := []string{
		"lone [] user@lone:22 [/home/user/.ssh/id_ed25519]",
		"w1 [site web] deploy@w1:2222 [/home/user/.ssh/id_ed25519]",
		"w2 [site web] deploy@w2:2222 [/home/user/.ssh/id_ed25519]",
		"d1 [site db] user@10.0.0.1:22 [/home/user/.ssh/db]",
		"d2 [site db] user@d2:22 [/k/d2]d1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestHostsInComments has one host that can't be written, in each of the ways there are.
func TestHostsInComments(t *testing.T) {
	for content, want := range map[string]string{
		"web1\nbad/name": `its address, "bad/name", is not a host name`,
		"web1\nWEB1":     `another host has this name`,
		"web1\nx ansible_host=" + strings.Repeat("x", 70):                                `between the dots stand 1 to 63 characters`,
		"web1\na ansible_ssh_common_args='-J b'\nb ansible_ssh_common_args='-J a'":       `leads in a circle`,
		"web1\na ansible_ssh_common_args='-J a'":                                         `leads in a circle`,
		"web1\na ansible_ssh_common_args='-J \"a b\"'":                                   `is neither the name of a`,
		"web1\na ansible_connection=local":                                               `ansible_connection is local`,
		"[g]\nweb1 ansible_ssh_common_args='-J x/y'\na ansible_ssh_common_args='-J x/y'": `is neither the name of a`,
	} {
		d, _ := written(t, "a.ini", content)
		if text := strings.Join(strings.Fields(string(d.Document)), " "); d.Left == 0 || !strings.Contains(text, "is left out: ") || !strings.Contains(text, want) {
			t.Errorf("%q: %d left\n%s", content, d.Left, d.Document)
		}
	}
}

// TestValuesInComments has values that are not taken over, of hosts that are.
func TestValuesInComments(t *testing.T) {
	for content, want := range map[string]string{
		"a ansible_port=70000":                      `ansible_port="70000" was not taken over: it must be a whole number`,
		"a ansible_user='x\u200by'":                 `was not taken over: it must not hold control characters`,
		"a ansible_ssh_private_key_file='~other/k'": `was not taken over: it ~ stands for your own home`,
		"a ansible_password=hunter2":                `ansible_password was not taken over: put the password into a file that only you can read`,
		"a ansible_become=yes -->=x":                `ansible_become is set`,
		"[g]\na\n[h]\na":                            `is in other groups too: h`,
		"a ansible_ssh_common_args='-o X--Y=1'":     `X- -Y was not taken over`,
		"a ansible_ssh_private_key_file='\uffff'":   `it holds characters that XML does not have`,
		"[g/h]\na":     `was called g/h`,
		"[g\u200b]\na": `the name of this group,`,
	} {
		d, c := written(t, "a.ini", content)
		text := strings.Join(strings.Fields(string(d.Document)), " ")
		if !strings.Contains(text, want) || len(c.Hosts) != 1 || strings.Contains(text, "hunter2") {
			t.Errorf("%q:\n%s", content, d.Document)
		}
	}
	var many strings.Builder
	for i := range 9 {
		fmt.Fprintf(&many, "h%d ansible_become=yes\n", i)
	}
	d, _ := written(t, "a.ini", many.String())
	if n := strings.Count(string(d.Document), "ansible_become"); n != 1 || !strings.Contains(string(d.Document), "(9 hosts)") {
		t.Errorf("a remark on all hosts stands %d times\n%s", n, d.Document)
	}
}

func TestDeepGroups(t *testing.T) {
	text := "[g0]\nh0\n"
	for i := range 90 {
		text += fmt.Sprintf("[g%d:children]\ng%d\n[g%d]\nh%d\n", i, i+1, i+1, i+1)
	}
	_, c := written(t, "a.ini", text)
	if len(c.Hosts) != 91 {
		t.Errorf("%d hosts", len(c.Hosts))
	}
}

// TestLargeDraft writes a fleet.
func TestLargeDraft(t *testing.T) {
	d, c := written(t, "a.ini", "[web]\nw[1:5000]\n[db]\nd[1:5000] ansible_port=2222\n")
	if len(c.Hosts) != 10000 || d.Groups != 3 || strings.Count(string(d.Document), `port="2222"`) != 1 {
		t.Errorf("%d hosts in %d groups", len(c.Hosts), d.Groups)
	}
}

// FuzzWrite wants a configuration that loads for whatever can be read, or an error with the file and, where there is one, the
// line.
func FuzzWrite(f *testing.F) {
	paths, err := filepath.Glob("../testdata/*")
	if err != nil || len(paths) < 5 {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		if content, err := os.ReadFile(path); err == nil { // there are folders, too
			f.Add(filepath.Base(path), content)
		}
	}
	f.Add("a.ini", []byte("a ansible_ssh_common_args='-J b'\nb ansible_ssh_common_args='-J a'\n[x/y]\nc\n[x/y:vars]\nansible_user=&<\"\n"))
	f.Add("a.csv", []byte("name,address,via,fingerprint,known-hosts,agent,sudo,client\na,a,b,SHA256:x,y,none,yes,installed:C:\\a\n"))
	comments := regexp.MustCompile(`(?s)<!--.*?-->`)
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		in, err := inventory.Read(inventory.Options{File: name, Content: content})
		if err != nil {
			var ours *inventory.Error
			if !errors.As(err, &ours) {
				t.Fatal(err)
			}
			return
		}
		if in.Root.Count() > 1000 {
			return // of which the fuzzer would make no use
		}
		d, c := draftOf(t, in, name)
		if again, err := Write(in, name); err != nil || string(again.Document) != string(d.Document) {
			t.Errorf("written otherwise the second time: %v", err)
		}
		for _, h := range c.Hosts {
			if !h.Password.Empty() {
				t.Error("a password was taken over")
			}
		}
		if bare := comments.ReplaceAll(d.Document, nil); len(c.Hosts) == 0 && strings.Contains(string(bare), "<host ") {
			t.Errorf("hosts are lost\n%s", d.Document)
		}
	})
}
