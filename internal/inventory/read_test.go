package inventory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree returns an inventory as text: a line for each group and host, indented as they hold each other.
func tree(in *Inventory) string {
	var b strings.Builder
	var walk func(g *Group, indent string)
	walk = func(g *Group, indent string) {
		for _, h := range g.Hosts {
			fmt.Fprintf(&b, "%s%s@%d", indent, h.Name, h.Line)
			for _, v := range h.Values {
				fmt.Fprintf(&b, " %s=%s", v.Attribute, v.Text)
			}
			if h.Left != "" {
				fmt.Fprintf(&b, " LEFT %s", h.Left)
			}
			for _, remark := range h.Remarks {
				fmt.Fprintf(&b, " # %s", remark)
			}
			b.WriteString("\n")
		}
		for _, inner := range g.Groups {
			fmt.Fprintf(&b, "%s%s:\n", indent, inner.Name)
			walk(inner, indent+"  ")
		}
	}
	walk(&in.Root, "")
	for _, remark := range in.Remarks {
		fmt.Fprintf(&b, "# %s\n", remark)
	}
	return b.String()
}

// readFile reads an inventory of testdata with what lies beside it.
func readFile(t testing.TB, name string) *Inventory {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	in, err := Read(Options{File: name, Content: content, Folder: os.DirFS("testdata")})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

const (
	checking = "# ansible_ssh_common_args: StrictHostKeyChecking=no was not taken over: Muster always verifies the keys of hosts; " +
		`host-keys="accept-new" records those of new ones`
	become = `# ansible_become is set: say sudo="yes" if the statistics need root, and see that sudo asks for no password`
)

func TestRead(t *testing.T) {
	const prod = "key=~/.ssh/prod via=jump@bastion.example.com " + checking + " " + become
	for name, want := range map[string]string{
		"hosts.ini": `
mail.example.com@2 address=mail.example.com port=2525 user=ops
prod:
  webservers:
    www01.example.com@5 address=www01.example.com user=deploy ` + prod + `
    www02.example.com@5 address=www02.example.com user=deploy ` + prod + `
    www03.example.com@5 address=www03.example.com user=deploy ` + prod + `
    odd name@6 address=10.0.0.9 user=ops ` + prod + `
  dbservers:
    one.example.com@9 address=one.example.com port=2022 user=postgres ` + prod + ` # is in other groups too: lab
    two.example.com@10 address=two.example.com port=2222 user=postgres key=~/.ssh/prod password=hunter2  via=jump@bastion.example.com ` + checking + " " + become + `
    2001:db8::7@11 address=2001:db8::7 port=2200 user=postgres ` + prod + `
    db-a.example.com@12 address=db-a.example.com user=postgres ` + prod + `
    db-c.example.com@12 address=db-c.example.com user=postgres ` + prod + `
    win1@13 address=win1 user=postgres key=~/.ssh/prod via=jump@bastion.example.com LEFT ansible_connection is winrm, and Muster reaches hosts by SSH alone ` + checking + " " + become + `
lab:
  jinja@17 address=10.1.2.7 user=ops
  riddle@18 address=riddle user=ops LEFT its address is not known: ansible_host was not understood # ansible_host was not taken over: it is a template that was not understood
# group_vars/lab:1: encrypted by Ansible Vault: it was not read
# group_vars/webservers was not read: it is not a file
`,
		"hosts.yml": `
mail.example.com@6 address=mail.example.com user=ops via=jump@bastion:2200
webservers:
  www1@11 address=www1 port=2222 user=ops via=jump@bastion:2200 ` + become + `
  www2@11 address=www2 port=2222 user=ops via=jump@bastion:2200 ` + become + `
dbservers:
  one@19 address=10.0.0.1 user=postgres via=jump@bastion:2200 # ansible_ssh_pass was not taken over: it is encrypted by Ansible Vault
# group_vars/dbservers
`,
		"list.json": `
web:
  web1@3 address=10.0.0.1 port=2222 user=ops
old:
  web2@3 address=web2 user=ops
`,
		"ssh_config": `
bastion@3 address=bastion.example.org port=2200 user=jump
web1@11 address=web1.internal port=2022 user=admin key=~/.ssh/web key, ~/.ssh/web1 via=bastion
web2@11 address=web2.internal port=22 user=admin key=~/.ssh/web key, ~/.ssh/web2 via=bastion
web9@11 address=web9.internal port=22 user=admin
chain@13 address=chain port=2022 user=admin certificate=~/.ssh/c-cert.pub agent=SSH_AUTH_SOCK known-hosts=~/.ssh/a, ~/.ssh/b known-as=alias via=jump@bastion:2200 host-keys=accept-new
github.com@20 address=github.com port=22 user=git LEFT its User is git: it looks like a server of repositories
# Include config.d/* was not followed: import that file by itself
# Match on line 23 was not taken over: it depends on more than names
`,
		"hosts.csv": `
lone.example.org@4 address=lone.example.org
eu:
  web:
    web1@2 address=10.0.0.1 user=deploy password=hunter2
    web2@3 address=10.0.0.2 user=deploy port=2222
# the column "Owner" was not taken over
`,
		"hosts.txt": `
web1.example.org@2 address=web1.example.org
web2.example.org@3 user=root address=web2.example.org
web3.example.org:2222@4 user=u address=web3.example.org port=2222
[2001:db8::1]:2200@5 address=2001:db8::1 port=2200
2001:db8::2@6 address=2001:db8::2
web4.example.org@7 user=u address=web4.example.org # the password was not taken over: put it into a file, and say password="file:…"
`,
	} {
		if name == "hosts.yml" { // with the files beside it, which are another's
			want = strings.Replace(want, "# group_vars/dbservers\n", "", 1)
		}
		got := tree(readFile(t, name))
		if name == "hosts.yml" {
			got = strings.Replace(got, "# group_vars/webservers was not read: it is not a file\n", "", 1)
		}
		if got != strings.TrimPrefix(want, "\n") {
			t.Errorf("%s:\ngot\n%s\nwant%s", name, got, want)
		}
	}
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          Format
	}{
		{"a.csv", "", CSV}, {"a.TSV", "", CSV}, {"a.yml", "", Ansible}, {"a.yaml", "", Ansible}, {"a.json", "", Ansible}, {"a.ini", "", Ansible},
		{"/etc/ssh/ssh_config", "", SSHConfig}, {`C:\x\hosts.csv`, "", CSV},
		{"hosts", "# c\nweb1\nweb2\n", List}, {"hosts", "root@web1:22\n[::1]:22", List},
		{"hosts", "web1 ansible_host=1\n", Ansible}, {"hosts", "web1\n[web]\nweb2", Ansible}, {"hosts", "web[01:20]", Ansible},
		{"hosts", "---\nall:\n", Ansible}, {"hosts", "all:\n  hosts:\n", Ansible}, {"hosts", "{}", Ansible},
		{"config", "Host web1\n  User a\n", SSHConfig}, {"config", "Include x\n", SSHConfig}, {"config", "user=x\n", SSHConfig},
		{"hosts", "name,address\nweb1,10.0.0.1\n", CSV}, {"hosts", "Hostname;User\n", CSV}, {"hosts", `"host"	"port"`, CSV},
		{"hosts", "hostname", List}, {"hosts", "", List},
	} {
		if got := detect(c.name, []byte(c.content)); got != c.want {
			t.Errorf("%s %q: %s, not %s", c.name, c.content, got, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"l", "a\nb c\n", "l:2: must be one host"},
		{"l", "", "l: no host is in it, read as list"},
		{"l", "a\x00b", "l: not a text in UTF-8"},
		{"l", "a\xff", "l: not a text in UTF-8"},
		{"a.ini", "[web]\na b\n", "a.ini:2: after the name of a host stand variables"},
		{"a.ini", "a ansible_password=hunter2 hunter2\n", "in quotation marks where there are blanks"},
		{"a.ini", "[web:x]\n", `a.ini:1: the section "web:x" is not known`},
		{"a.ini", "[]\n", "a.ini:1: a section without a name"},
		{"a.ini", "[web:vars]\nx\n", "a.ini:2: must be a variable"},
		{"a.ini", "x=y\n", "a.ini:1: must begin with the name of a host"},
		{"a.ini", "a x='y\n", "a.ini:1: a quotation mark is not closed"},
		{"a.ini", "[a:children]\nb c\n", "a.ini:2: must be the name of one group"},
		{"a.ini", "\n[a:children]\nb\n[b:children]\na\n[b]\nx", `a.ini: the group "a" holds itself`},
		{"a.ini", "web[3:1]", "a.ini:1: \"web[3:1]\": not a range"},
		{"a.ini", "web[001:10]", "must be of the same length"},
		{"a.ini", "web[0:999999999]", "more than 200000 hosts"},
		{"a.ini", "a[0:9999][0:9999]", "more than 200000 hosts"},
		{"a.yml", "a: [", "a.yml:1: not YAML"},
		{"a.yml", "- a", "a.yml:1: must be groups"},
		{"a.yml", "all:\n  host:\n    a:\n", `a.yml:3: the group "all" holds "host"`},
		{"a.yml", "all:\n  hosts: [a]\n", "a.yml:2: the hosts of the group"},
		{"a.yml", "all:\n  hosts:\n    a: 1\n", `a.yml:3: the variables of "a" must be names with values`},
		{"a.yml", "all:\n  hosts:\n    a:\n    a:\n", `a.yml:4: the key "a" stands here twice`},
		{"a.yml", "plugin: aws_ec2\n", "ansible-inventory --list"},
		{"a.yml", "a: &a [*a]", "a.yml"},
		{"a.json", `{"a": {"hosts": [1, {}]}}`, "a.json:1: the hosts of the group"},
		{"a.json", "{\n\"a\": 3}", `a.json:2: the group "a" must be an object`},
		{"a.json", "{\n", "a.json:1: not JSON: it ends too early"},
		{"a.csv", "name;user\nx;y;z\n", "a.csv:2: more fields"},
		{"a.csv", "colour\nred\n", "a.csv:1: must name the columns"},
		{"a.csv", "ip,hostname\n", "a.csv:1: two columns are the address"},
		{"a.csv", "name,user\n,x\n", "a.csv:2: the host has neither an address nor a name"},
		{"a.csv", "name\n\"x\n", "a.csv:2: extraneous or missing"},
		{"a.csv", "", "a.csv: it is empty"},
		{"ssh_config", "Host\n", `ssh_config:1: the keyword "Host" has no value`},
		{"ssh_config", "\nHost \"a\n", "ssh_config:2: a quotation mark is not closed"},
		{"ssh_config", "Host *\n", "no host is in it, read as ssh-config"},
	} {
		_, err := Read(Options{File: c.name, Content: []byte(c.content)})
		var ours *Error
		if err == nil || !errors.As(err, &ours) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), c.name) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s %q: %v, not %s", c.name, c.content, err, c.want)
		}
	}
	if _, err := Read(Options{File: "x", Format: "xml"}); err == nil || !strings.Contains(err.Error(), `no format "xml"`) {
		t.Error(err)
	}
	if _, err := Read(Options{File: "x", Content: make([]byte, MaxSize+1)}); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Error(err)
	}
}

func TestTooManyHosts(t *testing.T) {
	g := newGraph()
	g.order = make([]*ansibleHost, MaxHosts-2)
	if err := g.pattern(g.group("a"), "b[1:3]", 7, nil); err == nil || !strings.Contains(err.Error(), "more than 200000 hosts") {
		t.Errorf("%v", err)
	}
	if err := g.pattern(g.group("a"), "b[1:2]", 7, nil); err != nil {
		t.Error(err)
	}
}

// TestYAMLBomb has aliases make billions of nodes of a few lines.
func TestYAMLBomb(t *testing.T) {
	text := "a0: &a0 {x: y}\n"
	for i := range 12 {
		text += fmt.Sprintf("a%d: &a%d {", i+1, i+1)
		for j := range 10 {
			text += fmt.Sprintf("k%d: *a%d, ", j, i)
		}
		text += "}\n"
	}
	if _, err := Read(Options{File: "a.yml", Content: []byte(text)}); err == nil || !strings.Contains(err.Error(), "repeated too often") {
		t.Errorf("%v", err)
	}
}

func TestExpand(t *testing.T) {
	for name, want := range map[string]string{
		"a": "a", "a[1:3]": "a1 a2 a3", "a[01:03]": "a01 a02 a03", "a[8:12:2]b": "a8b a10b a12b", "[a:c]": "a b c", "x[A:C:2]": "xA xC",
		"a[0:1]b[x:y]": "a0bx a0by a1bx a1by", "a[:2]": "a0 a1 a2", "[::1]": "[::1]", "[2001:db8::1]": "[2001:db8::1]", "a[b]": "a[b]", "a[99:101]": "a99 a100 a101",
	} {
		got, err := expand(name, 100)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"a[1:]", "a[1:2:0]", "a[1:2:3:4]", "a[c:a]", "a[Z:a]", "a[1:b]", "a[-1:3]", "a[0:100]", "a[0:50][0:50]", "a[1.5:2]"} {
		if got, err := expand(name, 100); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, want := range map[string]string{
		"a": "a|", "a:22": "a|22", "a:": "a:|", "a:b": "a:b|", "[::1]": "::1|", "[::1]:22": "::1|22", "::1": "::1|", "2001:db8::22": "2001:db8::22|",
		"a[1:3]": "a[1:3]|", "a[1:3]:22": "a[1:3]|22", "a[1:3]b:22": "a[1:3]b|22",
	} {
		host, port := cutPort(name)
		if host+"|"+port != want {
			t.Errorf("%s: %s and %s", name, host, port)
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		``: ``, ` a  b `: `a|b`, `'a b' c`: `a b|c`, `"a b"c`: `a bc`, `a\ b`: `a b`, `'a\b'`: `a\b`, `"a\"b\c"`: `a"b\c`, `''`: ``, `a '' b`: `a||b`,
		`$HOME *|x`: `$HOME|*|x`, "a\tb\nc": `a|b|c`, `a\`: `a\`,
	} {
		got, err := Words(text)
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{`'`, `"a`, `a 'b`, `"\"`} {
		if got, err := Words(text); err == nil {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestArguments(t *testing.T) {
	for text, want := range map[string]string{
		"-J a": "via=a", "-Ja,b@c:2": "via=a,b@c:2", "-o ProxyJump=a": "via=a", "-oProxyJump=a -C -q": "via=a", "-o 'ProxyJump a'": "via=a", "-o proxyjump=NONE": "via=none",
		"-p 22 -l u -i k":                               "port=22 user=u key=k",
		`-o ProxyCommand="ssh -W %h:%p -q u@b"`:         "via=u@b",
		`-o ProxyCommand="ssh -p22 -l u b -W [%h]:%p"`:  "via=u@b:22",
		`-o ProxyCommand="nc -x proxy %h %p"`:           `# x: ProxyCommand was not taken over: name the machine that it goes through by via="…"`,
		`-o ProxyCommand="ssh b nc %h %p"`:              `# x: ProxyCommand was not taken over: name the machine that it goes through by via="…"`,
		`-o ProxyCommand=none`:                          ``,
		"-o UserKnownHostsFile=/dev/null":               "# x: UserKnownHostsFile=/dev/null was not taken over: Muster always verifies the keys of hosts",
		"-o StrictHostKeyChecking=accept-new":           "host-keys=accept-new",
		"-o ControlMaster=auto -o ControlPersist=60s":   "",
		"-o HostKeyAlias=a -o IdentityFile=k -o Port=3": "known-as=a key=k port=3",
		"-o Colour=red":                                 "# x: Colour was not taken over",
		"-Z":                                            `# x: "-Z" was not taken over`, "-D 1": "# x: -D was not taken over", "word": `# x: "word" was not taken over`,
		"'":  "# x was not taken over: a quotation mark is not closed",
		"-J": "", "-o": "# x:  was not taken over",
	} {
		h := &Host{}
		h.arguments(text, "x")
		got := strings.TrimSpace(strings.TrimPrefix(tree(&Inventory{Root: Group{Hosts: []*Host{h}}}), "@0"))
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
	}
}

// TestPrecedence follows Ansible's order: all, groups by depth, priority and name, files beside the inventory, the host.
func TestPrecedence(t *testing.T) {
	base := `{"all": {"children": ["outer"], "vars": {"ansible_user": "all"}}, "outer": {"children": ["a", "b"]%s}, "a": {"hosts": ["h"]%s}, "b": {"hosts": ["h"]%s},
		"_meta": {"hostvars": {"h": {%s}}}}`
	const user = `, "vars": {"ansible_user": "%s"%s}`
	for _, c := range []struct{ outer, a, b, host, want string }{
		{"", "", "", "", "all"},
		{fmt.Sprintf(user, "outer", ""), "", "", "", "outer"},
		{fmt.Sprintf(user, "outer", ""), fmt.Sprintf(user, "a", ""), "", "", "a"},
		{"", fmt.Sprintf(user, "a", ""), fmt.Sprintf(user, "b", ""), "", "b"},
		{"", fmt.Sprintf(user, "a", `, "ansible_group_priority": 10`), fmt.Sprintf(user, "b", ""), "", "a"},
		{"", fmt.Sprintf(user, "a", ""), "", `"ansible_user": "host"`, "host"},
	} {
		in, err := JSON([]byte(fmt.Sprintf(base, c.outer, c.a, c.b, c.host)))
		if err != nil {
			t.Fatal(err)
		}
		if got := in.Root.Groups[0].Groups[0].Hosts[0].Value("user"); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestManyHosts(t *testing.T) {
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, "Host h%d\n  HostName 10.0.0.1\n", i)
	}
	in, err := Read(Options{File: "ssh_config", Content: []byte(text.String() + "Host *\n  User u\n")})
	if err != nil || in.Root.Count() != 20_000 || in.Root.Hosts[19_999].Value("user") != "u" {
		t.Errorf("%v", err)
	}
}
