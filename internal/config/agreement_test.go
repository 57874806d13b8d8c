package config

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"muster/internal/testserver"
)

// The documents in testdata are read by the parser and validated by xmllint against the XSD; both must agree, unless the
// document says why XSD 1.0 can't say what is wrong with it. A bad document holds its expectations in a comment:
//
//	<!-- expect
//	mistake: LINE:COLUMN: MESSAGE     (one line for each, in order)
//	beyond-xsd: REASON                (the schema accepts the document)
//	mode: 0644                        (of the file; 0600 if not given)
//	user: NAME                        (who runs Muster; nobody knows if empty)
//	home: PATH                        (the home directory; unknown if empty)
//	-->
type expectation struct {
	mistakes    []string
	beyond      string
	environment Environment
}

func expected(t *testing.T, document []byte) expectation {
	t.Helper()
	_, after, found := bytes.Cut(document, []byte("<!-- expect\n"))
	comment, _, closed := bytes.Cut(after, []byte("-->"))
	if !found || !closed {
		t.Fatal("the document has no <!-- expect comment")
	}
	e := expectation{environment: fixture()}
	lines := bufio.NewScanner(bytes.NewReader(comment))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "mistake":
			e.mistakes = append(e.mistakes, value)
		case "beyond-xsd":
			e.beyond = value
		case "mode":
			mode, err := strconv.ParseUint(value, 8, 9)
			if err != nil {
				t.Fatal(err)
			}
			e.environment.Access.Mode = os.FileMode(mode)
		case "user":
			e.environment.User = value
		case "home":
			e.environment.Home = value
		default:
			t.Fatalf("unknown expectation %q", lines.Text())
		}
	}
	return e
}

func TestBadDocuments(t *testing.T) {
	for path, document := range documents(t, "bad") {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".xml"), func(t *testing.T) {
			e := expected(t, document)
			if len(e.mistakes) == 0 {
				t.Fatal("no mistake is expected")
			}
			got := mistakesIn(t, string(document), e.environment)
			if !slices.Equal(got, e.mistakes) {
				t.Errorf("got\nmistake: %s\nwant\nmistake: %s",
					strings.Join(got, "\nmistake: "), strings.Join(e.mistakes, "\nmistake: "))
			}
			for _, line := range got {
				for _, secret := range []string{"hunter2", "opensesame", "swordfish", "a/b#c@d"} {
					if strings.Contains(line, secret) {
						t.Errorf("a secret is told: %s", line)
					}
				}
			}
		})
	}
}

func TestGoodDocuments(t *testing.T) {
	for path, document := range documents(t, "good") {
		if got := mistakesIn(t, string(document), fixture()); len(got) > 0 {
			t.Errorf("%s: %s", path, strings.Join(got, "\n"))
		}
	}
}

func TestSchemaAgreesOnDocuments(t *testing.T) {
	good, bad := documents(t, "good"), documents(t, "bad")
	valid := validate(t, slices.Concat(slices.Collect(maps.Keys(good)), slices.Collect(maps.Keys(bad))))
	for path := range good {
		if !valid[path] {
			t.Errorf("%s: the schema refuses a good document", path)
		}
	}
	for path, document := range bad {
		e := expected(t, document)
		switch {
		case valid[path] && e.beyond == "":
			t.Errorf("%s: the schema accepts it: say it there too, or say beyond-xsd and why", path)
		case !valid[path] && e.beyond != "":
			t.Errorf("%s: the schema refuses it, so it is not beyond it: %s", path, e.beyond)
		}
	}
}

// TestSchemaAgreesOnValues puts values at the edges of each syntax into documents of their own.
func TestSchemaAgreesOnValues(t *testing.T) {
	cases := []struct {
		document string // with %s for the value
		good     []string
		bad      []string
	}{
		{`<server interval="%s"/>`,
			[]string{"1s", "1.5s", "1m30s", "1h30m", "2d12h", "1w", "1500ms", "2000000us", "2000000µs", "2000000μs", "2000000000ns", " 5m ", "30d"},
			[]string{"", "5", "s", "-5m", "+5m", "5 m", "1.s", ".5s", "1..5s", "5M", "5min", "1m30", "1e3s", "0x5s", "m5", "5m,", "∞", "٣s"}},
		{`<server parallel="%s"/>`,
			[]string{"1", "256", "10000", " 7 "},
			[]string{"", "0", "10001", "-1", "+1", "01", "1.0", "1e3", "99999999999999999999", "٣"}},
		{`<server data="%s"/>`, []string{"/a", "a", "~", "~/a", "a b", "C:\\a", "ü"}, []string{"", " "}},
		{`<server listen="%s"/>`,
			[]string{"127.0.0.1:9677", " localhost:1 ", "a.example:65535", "[::1]:9677", "[fe80::1%eth0]:80", "0.0.0.0:9677"},
			[]string{"", " ", "9677", ":", ":9677", "a", "a:", "a:0", "a:65536", "a:99999", "a:09677", "a:http", "a:+1", "::1", "::1:9677", "[::1]", "[::1]:", "[a]:1", "a:1:2", "a b:1", "a :1", "*:9677", "http://a:1", "a:1/", "u@a:1", "unix:/a"}},
		{`<server log-file="%s"/>`, []string{"", "a"}, nil},
		{`<server log-level="%s"/>`, []string{"debug", "info", "warn", "error", " info "}, []string{"", "INFO", "warning", "debug info"}},
		{`<server log-format="%s"/>`, []string{"text", "json"}, []string{"", "JSON", "logfmt"}},
		{`<host address="%s" key="k"/>`,
			[]string{"a", "A.b", "a.", strings.Repeat("a", 63), strings.Repeat("a.", 126) + "a", "a_b", "_a", "a-b.c--d", "1a", "a.1a", "10.0.0.1", "::1", "[::1]", "::", "2001:db8::", "fe80::1%eth0", "[fe80::1%eth0]", "::ffff:1.2.3.4"},
			[]string{"", ".", "a..b", ".a", "a-", "-a", "a.-b", "a/b", "a b", "a@b", "a:22", "[a]", "[::1", "::1]", "[::1]:22", "1:2", "ü", "a,b", "*"}},
		{`<host address="a" key="k" port="%s"/>`, []string{"1", "22", "65535"}, []string{"", "0", "65536", "022", "-1", "ssh", "2 2"}},
		{`<host address="a" key="k" name="%s"/>`, []string{"a", "a b", "a/b", "ü", "  a  ", "機"}, []string{"", " ", "a&#x200b;b", "a&#x85;b", "a&#x2028;b", strings.Repeat("x", 256)}},
		{`<group name="%s"/>`, []string{"a", "a b", "ü"}, []string{"", "/", "a/b", "a&#x200b;b"}},
		{`<group user="%s"/>`, []string{"root", "DOMAIN\\u", "u@d"}, []string{""}},
		{`<group key="%s"/>`, []string{"", " ", "k", "~/k", "a,b", " a , ~/b "}, []string{",", "a,", ",a", "a,,b"}},
		{`<group certificate="%s"/>`, []string{"", "k-cert.pub", "a,b"}, []string{",", "a,"}},
		{`<group passphrase="%s"/>`, []string{"", "x", " x ", "env:SMTP_PASSWORD", "file:/etc/muster/db.pass"}, []string{"a&#10;b"}},
		{`<group agent="%s"/>`, []string{"SSH_AUTH_SOCK", "none", "/run/agent", "~/agent", "agent"}, []string{"", " ", "a&#1;"}},
		{`<group authentication="%s"/>`,
			[]string{"publickey", " password ", "keyboard-interactive,publickey", "publickey , password,keyboard-interactive"},
			[]string{"", ",", "publickey,", "none", "PublicKey", "publickey password", "hostbased", "gssapi-with-mic"}},
		{`<group host-keys="%s"/>`, []string{"strict", "accept-new"}, []string{"", "yes", "no", "off", "ask", "Strict"}},
		{`<host address="a" key="k" fingerprint="%s"/>`,
			[]string{fingerprint, " " + fingerprint + " , SHA256:" + strings.Repeat("a/+9", 10) + "zz0"},
			[]string{"", "SHA256:", "sha256:" + fingerprint[7:], fingerprint[7:], fingerprint + "=", fingerprint + "A", fingerprint[:49],
				fingerprint[:49] + "B", "MD5:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff", fingerprint + ",", fingerprint + " " + fingerprint}},
		{`<group known-as="%s"/>`, []string{"", "a", "a.example", "[a.example]:2222", "::1", "ü"}, []string{"a b", "a,b", "*", "a?", "!a", "|1|a", "#a", "a@b"}},
		{`<group via="%s"/>`,
			[]string{"none", "a", "a b", "u@a:22", " a , b ", "[::1]:22", "ü", "None"},
			[]string{"", " ", ",", "a,", ",a", "a,,b", "a&#1;", "a&#x200b;b"}},
		{`<group client="%s"/>`,
			[]string{"upload", "installed:/a", "installed:/usr/local/bin/muster-client", "installed:/a b", "installed:/ü", "installed:C:\\a.exe",
				"installed:c:/Users/a_b~1/muster-client.exe", " upload "},
			[]string{"", "installed", "installed:", "installed:a", "installed:~/a", "installed:./a", "installed:/", "installed:/a/", "installed: /a",
				"installed:C:", "installed:C:\\", "installed:C:a", "installed:C:\\a\\", "installed:C:\\Program Files\\a.exe",
				"installed:C:\\a&amp;b", "installed:C:\\ü", "Upload", "/a", "upload:/a"}},
		{`<group sudo="%s"/>`, []string{"yes", "no"}, []string{"", "true", "1", "Yes", "-n"}},
		{`<jump address="a" key="k" sessions="%s"/>`, []string{"1", "16", "10000"}, []string{"", "0", "-1", "10001", "016"}},
		{`<include file="%s"/>`, []string{"a*", " *.xml ", "~/h/?.xml", "[ab]*"}, []string{"", " "}},
		{`<hosts command="%s"/>`, []string{"a", " a b ", "a 'b  c'", "ü"}, []string{"", " ", "a&#1;", "a&#x200b;"}},
		{`<hosts command="a" timeout="%s"/>`, []string{"1s", "10m"}, []string{"", "5"}},
		{`<server ssh-config="%s"/>`, []string{"", "a", "~/.ssh/config"}, nil},
		{`<server spread="%s"/>`, []string{"0", "0s", "1m", "30s"}, []string{"", "30", "-1s", "10%"}},
		{`<server backoff="%s"/>`, []string{"0", "0s", "30d"}, []string{"", "5", "none"}},
		{`<group known-hosts="%s"/>`, []string{"a", "a,b", " a , b ", "a b,c"}, []string{"", " ", ",", "a,", ",a", "a,,b", "a, ,b"}},
		{`<group transfer="%s"/>`, []string{"stdout", "file"}, []string{"", "Stdout", "sftp"}},
		{`<group directory="%s"/>`, []string{"", "/a", "~/a", "C:\\a"}, nil},
		{`<group mail="%s"/>`,
			[]string{"", " ", "a@b", "A &lt;a@b&gt;", "a@b,c@d", "a@b, C &lt;c@d&gt;", "&quot;x, y&quot; &lt;a@b&gt;"},
			[]string{"a", "@", "a@", "@b", "a @ b"}},
		{`<group password="%s"/>`, []string{"", "x", " x ", "env:SMTP_PASSWORD", "file:/etc/muster/db.pass", "a:b", "ü"}, []string{"a&#10;b", "a&#9;b"}},
		{`<database url="%s"/>`,
			[]string{"sqlite:a", " sqlite:a ", "sqlite:/a b", "sqlite:///a", "mysql://u@h/n", "mysql://u@h:1/n", "mariadb://u@10.0.0.1/n", "postgres://u@[::1]:5432/n", "postgresql://u%40d@h/n?sslmode=require", "postgres://u@localhost/n?host=/run/postgresql", "mysql://u@localhost/n?socket=/run/my.sock"},
			[]string{"", "sqlite", "sqlite:", "sqlite:a?b", "sqlite:a#b", "SQLITE:a", "mysql:u@h/n", "mysql://h/n", "mysql://@h/n", "mysql://u@/n", "mysql://u@h", "mysql://u@h/", "mysql://u@h/n/m", "mysql://u@h/n#f", "mysql://u:p@h/n", "mysql://u:@h/n", "oracle://u@h/n", "h", "postgres://u:p/q@h/n"}},
		{`<database keep="%s"/>`, []string{"1d", "400d", "24h", "36500d", "1w"}, []string{"", "400", "400 d", "400D", "1y", "1M", "-1d", "forever"}},
		{`<queue url="%s"/>`,
			[]string{"nats://a", "tls://a", "nats://a:4222", "nats://a,b,c", "nats://a , b:1", "nats://a,nats://b", "tls://a,tls://b,c", "nats://[::1]:4222", "nats://10.0.0.1,[fe80::1%eth0]", " nats://a "},
			[]string{"", "a", "a:4222", "nats:a", "nats://", "NATS://a", "ws://a", "http://a", "nats://a,", "nats://,a", "nats://a,,b", "nats://a b", "nats://a:0", "nats://a:x", "nats://::1", "nats://u@a", "nats://u:p@a", "nats://a,u:p@b", "nats://a/", "nats://a?b", "nats://a#b", "nats://a,tls://b", "tls://a,nats://b"}},
		{`<queue url="tls://a" replicas="%s"/>`, []string{"1", "3", "5", " 2 "}, []string{"", "0", "6", "10", "01", "-1", "+1", "1.0"}},
		{`<queue url="tls://a" ca="%s"/>`, []string{"", "ca.pem", "~/ca.pem"}, nil},
		{`<queue size="%s"/>`,
			[]string{"4GiB", " 64MiB ", "67108864", "1PiB", "100MB", "1.5TB", "200000kB"},
			[]string{"", "4G", "4 GiB", "4gib", "-4GiB", "4GiB/s", "GiB", "4.GiB", "1e9", "all"}},
		{`<queue age="%s"/>`, []string{"1h", "7d", "366d"}, []string{"", "7", "7 d", "1y"}},
		{`<mail host="h" from="%s" to="a@b"/>`, []string{"a@b", "A B &lt;a@b&gt;"}, []string{"", "a", "a@", "@b", "A"}},
		{`<mail host="h" from="a@b" to="a@b" security="%s"/>`, []string{"none", "starttls", "tls"}, []string{"", "ssl", "TLS"}},
		{`<mail host="h" from="a@b" to="a@b" timeout="%s"/>`, []string{"100ms", "1h"}, []string{"", "30"}},
		{`<limit statistic="disk.usage" instance="%s" above="1%%"/>`, []string{"/", "C:", " ", "a b", "ü"}, []string{"", "a&#9;b"}},
		{`<limit statistic="disk.usage" above="%s"/>`, []string{"0%", "100%", "99.5%", " 90% ", "none"}, []string{"", "%", "90 %", "-1%", "+1%", ".5%", "5.%", "1e1%", "ninety", "None"}},
		{`<limit statistic="memory.used" above="%s"/>`,
			[]string{"0", "1", "1B", "1kB", "1KB", "1MB", "1GB", "1TB", "1PB", "1KiB", "1MiB", "1GiB", "1TiB", "1PiB", "1.5GiB", "none"},
			[]string{"", "1K", "1M", "1k", "1mb", "1Mb", "1 MB", "-", "1kiB", "1EB", "1,5GB", "GB", "1.GB", "-1B"}},
		{`<limit statistic="network.sent.rate" above="%s"/>`, []string{"1MB/s", "0B/s", "1.5MiB/s", "5/s"}, []string{"1MB/m", "1MBps", "/s", "1Mbit/s"}},
		{`<limit statistic="uptime" below="%s"/>`, []string{"0", "10m", "1d", "1w2d", "0.5h"}, []string{"10 m", "m", "-5m", "1y"}},
		{`<limit statistic="load.1" above="%s"/>`, []string{"0", "8", "0.5", "007"}, []string{"1e3", "0x1", ".5", "5.", "1_000", "Inf", "NaN"}},
		{`<logs channel="%s"/>`,
			[]string{"journal", "Security", " Windows PowerShell ", "Microsoft-Windows-PowerShell/Operational", "a", "file:/a", "file:/var/log/a b.log",
				"file:C:\\a", "file:c:/a/b", "file:\\\\server\\share\\a.log", "file:/ü", "file:/a:b*", "機", "file:/" + strings.Repeat("a", 249)},
			[]string{"", " ", "/a", "C:\\a", "C:/a", "a:b", "a*", "a|b", "a\\b", "file:", "file:a", "file:~/a", "file:/", "file:/a/", "file:C:", "file:C:\\",
				"file:C:\\a\\", "file:\\\\", "a&#x200b;b", "file:/a&#x202e;", "a&#1;", strings.Repeat("x", 256), "file:/" + strings.Repeat("a", 250)}},
		{`<logs channel="Security" events="%s"/>`,
			[]string{"1102", "1102,4624-4625", "!4634", " 1 , ! 2 , 3 - 4 ", "0", "4294967295", "007", "none"},
			[]string{"", ",", "1,", ",1", "1,,2", "a", "-1", "1-", "1--2", "1-2-3", "!!1", "!", "0x1", "1.5", "None", "none,1", "all", "*"}},
		{`<logs channel="Security" levels="%s"/>`,
			[]string{"error", " critical , error ", "audit-failure,audit-success", "error,error"},
			[]string{"", ",", "error,", "Error", "warn", "info", "1", "error critical", "none"}},
		{`<logs channel="journal" levels="%s"/>`, []string{"emergency,alert,critical,error,warning,notice,information,debug"}, []string{"err", "emerg"}},
		{`<logs channel="journal" providers="%s"/>`,
			[]string{"sshd", "!sshd", " sshd , sudo ", "Service Control Manager,! Disk", "ü"},
			[]string{"", " ", ",", "a,", ",a", "a,,b", "!", "a,!", "a, !,b", "a&#1;", "a&#x200b;b"}},
		{`<logs channel="Security" xpath="%s"/>`,
			[]string{"*", " *[System[(Level=1  or Level=2)]] ", "*[EventData[Data='a]']]", "Event/System"},
			[]string{"", " ", "&lt;QueryList&gt;", "*&#1;", strings.Repeat("*", 4001)}},
		{`<logs channel="Security" since="%s"/>`, []string{"now", "all", "24h", " 1h30m ", "0", "0s"}, []string{"", "none", "Now", "1", "-1h", "yesterday"}},
		{`<logs channel="Security" raw="%s"/>`, []string{"yes", "no"}, []string{"", "true"}},
		{`<logs channel="Security" messages="%s"/>`, []string{"yes", "no"}, []string{"", "1"}},
		{`<logs channel="Security"/><mail-records log="Security" events="%s"/>`, []string{"1102", "!1", "none"}, []string{"", "1,"}},
		{`<logs channel="a"/><mail-records log="%s"/>`, []string{"a", " A "}, []string{"", "a:"}},
		{`<logs channel="a"/><limit log="a" above="1" for="1m" events="%s"/>`, []string{"1102", "!1"}, []string{"", "none", "1-"}},
		{`<logs channel="a"/><limit log="a" above="1" for="1m" logon="%s"/>`, []string{"failed", "accepted", "any", " failed "},
			[]string{"", "Failed", "none", "all", "failed,accepted", "!failed"}},
		{`<logs channel="a"/><mail-records log="a" logon="%s"/>`, []string{"failed", "accepted", "any"}, []string{"", "success"}},
		{`<logs channel="a"/><limit log="a" above="1" for="%s"/>`, []string{"1s", "7d"}, []string{"", "5"}},
		{`<limit statistic="temperature" above="%s"/>`, []string{"80", "-5", "80.5°C", "-5°C"}, []string{"--5", "80C", "80°F", "80 °C"}},
	}
	folder := t.TempDir()
	want := map[string]bool{}
	for i, c := range cases {
		for j, value := range slices.Concat(c.good, c.bad) {
			document := muster(fmt.Sprintf(c.document, value))
			good := j < len(c.good)
			mistakes := mistakesIn(t, document, fixture())
			if good != (len(mistakes) == 0) {
				t.Errorf("parser: good is %v for %s%s", !good, document, strings.Join(mistakes, "\n"))
			}
			path := filepath.Join(folder, fmt.Sprintf("%d-%d.xml", i, j))
			if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
				t.Fatal(err)
			}
			want[path] = good
		}
	}
	for path, valid := range validate(t, slices.Sorted(maps.Keys(want))) {
		if valid != want[path] {
			document, _ := os.ReadFile(path)
			t.Errorf("schema: valid is %v for %s", valid, document)
		}
	}
}

// fingerprint is that of a host key.
const fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// validate returns which documents xmllint finds valid against the schema.
func validate(t *testing.T, paths []string) map[string]bool {
	t.Helper()
	xmllint := testserver.Need(t, "xmllint", "libxml2-utils")
	xsd := filepath.Join(t.TempDir(), "config.xsd")
	if err := os.WriteFile(xsd, Schema(), 0o600); err != nil {
		t.Fatal(err)
	}
	// The exit status is that of the worst document, so the words count.
	output, err := exec.CommandContext(t.Context(), xmllint, append([]string{"--noout", "--schema", xsd}, paths...)...).CombinedOutput()
	var exit *exec.ExitError
	if found := errors.As(err, &exit); err != nil && !found || found && exit.ExitCode() == 5 {
		t.Fatalf("xmllint: %v\n%s", err, output)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(output)) {
		lines[strings.TrimSuffix(line, "\n")] = true
	}
	valid := map[string]bool{}
	for _, path := range paths {
		valid[path] = lines[path+" validates"]
	}
	return valid
}
