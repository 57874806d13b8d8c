package sshconfig_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/internal/sshconfig"
	"muster/internal/testserver"
)

// TestAgreesWithOpenSSH compares what is found in generated files with what ssh -G says.
func TestAgreesWithOpenSSH(t *testing.T) {
	ssh := testserver.Need(t, "ssh", "openssh-client")
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), folder: t.TempDir()}
	current, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for range rounds {
		path := g.write(t, 0)
		config, err := sshconfig.Load(path, sshconfig.Options{Home: t.TempDir()})
		if err != nil {
			content, _ := os.ReadFile(path)
			t.Fatalf("%v\n%s", err, content)
		}
		for _, host := range []string{"web1", "web1.example.org", "db7", "WEB1", "10.0.0.5"} {
			q := sshconfig.Query{Host: host, LocalUser: current.Username}
			if g.IntN(3) == 0 {
				q.User = g.pick("ops", "deploy")
			}
			want := ask(t, ssh, path, q)
			got := render(config.Resolve(q), q)
			if !slices.Equal(got, want) {
				t.Fatalf("%s@%s: got\n\t%s\nwant\n\t%s\nfrom %s", q.User, host,
					strings.Join(got, "\n\t"), strings.Join(want, "\n\t"), g.dump())
			}
		}
	}
}

// compared are the keywords of ssh -G that are compared.
func compared(keyword string) bool {
	return slices.Contains([]string{"hostname", "port", "user", "identityfile", "certificatefile", "userknownhostsfile",
		"hostkeyalias", "proxyjump", "proxycommand", "identityagent", "stricthostkeychecking"}, keyword)
}

// ask asks ssh, and leaves out its defaults.
func ask(t *testing.T, ssh, path string, q sshconfig.Query) []string {
	t.Helper()
	args := []string{"-G", "-F", path}
	if q.User != "" {
		args = append(args, "-l", q.User)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, ssh, append(args, q.Host)...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	output, err := command.Output()
	if err != nil {
		content, _ := os.ReadFile(path)
		t.Fatalf("ssh -G: %v\n%s\n%s", err, complaint.String(), content)
	}
	var lines []string
	for line := range strings.Lines(string(output)) {
		line = strings.TrimSpace(line)
		keyword, value, _ := strings.Cut(line, " ")
		switch {
		case !compared(keyword), keyword == "identityfile" && strings.HasPrefix(value, "~/.ssh/id_"), line == "port 22",
			keyword == "user" && q.User == "" && value == q.LocalUser, line == "stricthostkeychecking ask",
			keyword == "userknownhostsfile" && strings.Contains(value, ".ssh/known_hosts2"):
			continue
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// render says settings as ssh -G does.
func render(s sshconfig.Settings, q sshconfig.Query) []string {
	lines := []string{"hostname " + s.HostName}
	say := func(keyword string, values ...string) {
		for _, value := range values {
			if value != "" {
				lines = append(lines, keyword+" "+value)
			}
		}
	}
	say("user", s.User)
	if q.User != "" {
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "user ") })
		say("user", q.User)
	} else if s.User == q.LocalUser {
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "user ") })
	}
	if s.Port != 0 && s.Port != 22 {
		say("port", strconv.Itoa(s.Port))
	}
	say("identityfile", s.IdentityFiles...)
	say("certificatefile", s.CertificateFiles...)
	say("userknownhostsfile", strings.Join(s.KnownHosts, " "))
	say("hostkeyalias", s.HostKeyAlias)
	say("identityagent", s.IdentityAgent)
	switch s.HostKeyChecking {
	case "yes":
		say("stricthostkeychecking", "true")
	case "no":
		say("stricthostkeychecking", "false")
	case "accept-new":
		say("stricthostkeychecking", "accept-new")
	}
	if s.ProxyJump != "none" {
		say("proxyjump", s.ProxyJump)
	}
	for _, p := range s.Problems {
		if strings.HasPrefix(p.Text, "ProxyCommand") {
			say("proxycommand", "nc %h %p")
		}
	}
	slices.Sort(lines)
	return lines
}

// generator writes files as people do, and as they should not.
type generator struct {
	*rand.Rand
	folder string
	count  int
	last   []string // the files of the last round
}

func (g *generator) pick(words ...string) string { return words[g.IntN(len(words))] }

// write writes a file, and those that it includes.
func (g *generator) write(t *testing.T, depth int) string {
	t.Helper()
	if depth == 0 {
		g.last = nil
	}
	var b strings.Builder
	for range g.IntN(3) {
		b.WriteString(g.setting(t, depth))
	}
	for range g.IntN(6) {
		b.WriteString(g.block())
		for range g.IntN(5) {
			b.WriteString(g.setting(t, depth))
		}
	}
	g.count++
	path := filepath.Join(g.folder, fmt.Sprintf("config%d", g.count))
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	g.last = append(g.last, path)
	return path
}

func (g *generator) dump() string {
	var b strings.Builder
	for _, path := range g.last {
		content, _ := os.ReadFile(path)
		fmt.Fprintf(&b, "\n--- %s\n%s", path, content)
	}
	return b.String()
}

func (g *generator) block() string {
	pattern := func() string {
		return g.pick("", "", "", "!") + g.pick("web1", "web?", "web*", "*", "*.example.org", "db7", "d*7", "WEB1", "10.0.0.*", "????", "web1.example.org", "?eb1*")
	}
	if g.IntN(3) > 0 {
		words := []string{g.pick("Host", "host", "HOST")}
		for range 1 + g.IntN(3) {
			words = append(words, pattern())
		}
		return strings.Join(words, g.pick(" ", "  ", "\t")) + g.pick("", " # web", "  ") + "\n"
	}
	if g.IntN(6) == 0 {
		return g.pick("Match all\n", "Match final all\n", "Match canonical\n", "Match final\n")
	}
	line := "Match"
	for range 1 + g.IntN(2) {
		line += " " + g.pick("", "", "!")
		switch g.IntN(4) {
		case 0:
			line += g.pick("host", "Host") + " " + g.pick("web1,db*", "*.example.org", "*,!db7", "real*", "10.*", "web1.example.org,!web1")
		case 1:
			line += "originalhost " + g.pick("web1", "WEB*", "d*", "*.org,!db7")
		case 2:
			line += "user " + g.pick("ops", "deploy,root", "*,!ops")
		default:
			line += "localuser " + g.pick("root", "nobody", "*")
		}
	}
	return line + "\n"
}

func (g *generator) setting(t *testing.T, depth int) string {
	t.Helper()
	n := strconv.Itoa(1 + g.IntN(3))
	between := g.pick(" ", "\t", "=", " = ", "  ")
	line := ""
	switch g.IntN(13) {
	case 0:
		line = g.pick("HostName", "hostname") + between + g.pick("real"+n, "%h.example.org", "10.0.0."+n, "x%%y", `"quoted`+n+`"`)
	case 1:
		line = "Port" + between + g.pick("2222", "22", "2200")
	case 2:
		line = "User" + between + g.pick("ops", "deploy", `"ops"`)
	case 3, 4:
		line = "IdentityFile" + between + g.pick("~/.ssh/key"+n, "/keys/%r@%h", `"/a key/`+n+`"`, "none", `/b\ key`)
	case 5:
		line = "CertificateFile" + between + "/keys/cert" + n
	case 6:
		line = "UserKnownHostsFile" + between + g.pick("/dev/null", "/a/known /b/known", "none")
	case 7:
		line = "HostKeyAlias" + between + "alias" + n
	case 8:
		line = "ProxyJump" + between + g.pick("bastion"+n, "ops@bastion:2222,inner", "none")
	case 9:
		line = "ProxyCommand" + between + g.pick("nc %h %p", "none", "nc %h %p")
	case 10:
		line = "StrictHostKeyChecking" + between + g.pick("yes", "accept-new", "no")
	case 11:
		line = g.pick("# nothing", "", "ForwardAgent yes", "IdentityAgent /run/agent"+n, "ServerAliveInterval 5", "SendEnv LANG LC_*")
	default:
		if depth < 2 {
			line = "Include " + g.write(t, depth+1)
			if g.IntN(3) == 0 {
				line += " " + filepath.Join(g.folder, "none*")
			}
		}
	}
	return g.pick("", "  ", "\t") + line + g.pick("", "", " ") + "\n"
}
