package config

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

// FuzzParse looks for panics, for mistakes without a place in the document, and for configurations that break what
// Config promises.
func FuzzParse(f *testing.F) {
	for _, folder := range []string{"good", "bad"} {
		all := documents(f, folder)
		for _, path := range slices.Sorted(maps.Keys(all)) {
			f.Add(all[path])
		}
	}
	f.Add(Example())
	f.Fuzz(func(t *testing.T, document []byte) {
		config, err := Parse(file, document, fixture())
		if err == nil {
			checkConfig(t, config)
			return
		}
		var mistakes Mistakes
		if config != nil || !errors.As(err, &mistakes) || len(mistakes) == 0 {
			t.Fatalf("%v, %T: %v", config, err, err)
		}
		lines := bytes.Split(document, []byte("\n"))
		before := Mistake{Line: 1, Column: 1}
		for _, m := range mistakes {
			if m.Line < 1 || m.Line > len(lines) || m.Column < 1 || m.Column > len(lines[m.Line-1])+1 {
				t.Errorf("outside the document: %v", m)
			}
			if m.Line < before.Line || m.Line == before.Line && m.Column < before.Column {
				t.Errorf("%v stands after %v", m, before)
			}
			if strings.ContainsAny(m.Message, "\n\r\x1b") || m.Message == "" {
				t.Errorf("%q", m.Message)
			}
			before = m
		}
	})
}

// FuzzPrinted does the same for what a command prints: its mistakes lie where the command stands.
func FuzzPrinted(f *testing.F) {
	f.Add([]byte(printedFleet))
	f.Add([]byte(`{"a/b":["x","x"],"c":{"hosts":["known"],"vars":{"ansible_port":"0","ansible_user":"\u0007"}}}`))
	f.Add([]byte(`{"g":{"hosts":["a","b"],"vars":{"ansible_ssh_common_args":"-J a,b -o UserKnownHostsFile='x y' -i k -o HostKeyAlias=*"}}}`))
	f.Fuzz(func(t *testing.T, output []byte) {
		document := muster(`<host name="known" address="k" key="k"/>` + "\n" + `<group key="k"><hosts command="inv"/></group>`)
		config, err := Parse(file, []byte(document), printingOut(string(output), nil))
		if err == nil {
			checkConfig(t, config)
			return
		}
		var mistakes Mistakes
		if config != nil || !errors.As(err, &mistakes) || len(mistakes) == 0 {
			t.Fatalf("%v, %T: %v", config, err, err)
		}
		for _, m := range mistakes {
			if m.Line != 3 || m.Message == "" || strings.ContainsFunc(m.Message, unprintable) {
				t.Errorf("%d: %q", m.Line, m.Message)
			}
		}
	})
}

func checkConfig(t *testing.T, c *Config) {
	t.Helper()
	s := c.Server
	if !filepath.IsAbs(s.Data) || s.Interval < time.Second || s.Parallel < 1 || s.Parallel > 10000 || s.LogLevel == "" || s.LogFormat == "" {
		t.Errorf("server %+v", s)
	}
	scheme, _, _ := strings.Cut(c.Database.URL, ":")
	if !slices.Contains([]string{"sqlite", "mysql", "postgres"}, scheme) {
		t.Errorf("database %s", c.Database.URL)
	}
	checkQueue(t, c)
	if m := c.Mail; m != nil && (m.Host == "" || m.From == "" || m.Port < 1 || m.Port > 65535 || m.Timeout <= 0 ||
		(m.Username == "") != m.Password.Empty()) {
		t.Errorf("mail %+v", m)
	}
	names := map[string]bool{}
	for _, h := range c.Hosts {
		if key := strings.ToLower(h.Name); names[key] {
			t.Errorf("two hosts are called %q", h.Name)
		} else {
			names[key] = true
		}
		checkHost(t, h)
	}
}

func checkQueue(t *testing.T, c *Config) {
	t.Helper()
	q := c.Queue
	if q.Size < 64<<20 || q.Age < time.Hour || q.Replicas < 1 || q.Replicas > 5 || (q.Username == "") != q.Password.Empty() ||
		q.Credentials != "" && q.Username != "" {
		t.Errorf("queue %+v", q)
	}
	if len(q.URLs) == 0 && (q.Replicas != 1 || q.Username != "" || q.Credentials != "" || q.CA != "") {
		t.Errorf("the server's own queue is %+v", q)
	}
	for _, text := range q.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" || u.Port() == "" || u.User != nil || u.Path != "" {
			t.Errorf("queue at %q: %v", text, err)
		}
	}
	if c.Database.Keep != 0 && (c.Database.Keep < 24*time.Hour || c.Database.Keep <= c.Server.Interval) {
		t.Errorf("kept for %v, visited every %v", c.Database.Keep, c.Server.Interval)
	}
	if c.Server.Listen != "" {
		if host, port, err := net.SplitHostPort(c.Server.Listen); err != nil || host == "" || port == "" || port == "0" {
			t.Errorf("listen at %q: %v", c.Server.Listen, err)
		}
	}
}

func checkHost(t *testing.T, h Host) {
	t.Helper()
	seen := map[*Host]bool{}
	for at := &h; at != nil; at = at.Via {
		checkLogin(t, at)
		if seen[at] || len(seen) > longestWay {
			t.Fatalf("the way to %q has no end", h.Name)
		}
		seen[at] = true
	}
	if h.Name == "" || len(h.Name) > 300 || strings.ContainsFunc(h.Name, unprintable) || h.User == "" ||
		h.Port < 1 || h.Port > 65535 || len(h.KnownHosts)+len(h.Fingerprints) == 0 ||
		h.Transfer != "stdout" && h.Transfer != "file" || strings.HasPrefix(h.Client, "installed:") {
		t.Errorf("host %+v", h)
	}
	for _, d := range []time.Duration{h.Timeouts.Dial, h.Timeouts.Handshake, h.Timeouts.Authentication, h.Timeouts.Platform,
		h.Timeouts.Deploy, h.Timeouts.Run, h.Timeouts.Receive, h.Timeouts.Visit} {
		if d < shortest {
			t.Errorf("timeouts %v", h.Timeouts)
		}
	}
	limits := map[limitKey]bool{}
	for _, l := range h.Limits {
		if limits[l.key()] || (l.Above == nil) == (l.Below == nil) || l.Unit == "" || l.For < 0 {
			t.Errorf("limits %+v", h.Limits)
		}
		if l.Instance == "" && l.lifted() || l.Above != nil && math.IsNaN(*l.Above) {
			t.Errorf("limits %+v", h.Limits)
		}
		limits[l.key()] = true
	}
	checkLogTerms(t, h)
}

func checkLogTerms(t *testing.T, h Host) {
	t.Helper()
	channels := map[string]report.Filter{}
	for _, l := range h.Logs {
		key := channel(l.Channel).key()
		if _, twice := channels[key]; twice || l.Channel == "" || l.Since < report.SinceAll || len(l.Filter.XPath) > 4*report.MaxXPath {
			t.Errorf("logs %+v", h.Logs)
		}
		channels[key] = l.Filter
	}
	if len(h.Logs) > report.MaxChannels || len(h.EventLimits) > mostEventLimits || len(h.MailRecords) > mostEventLimits {
		t.Errorf("%d channels, %d limits on them, %d mailed", len(h.Logs), len(h.EventLimits), len(h.MailRecords))
	}
	keys := map[string]bool{}
	for _, l := range h.EventLimits {
		filter, there := channels[channel(l.Channel).key()]
		if !there || !l.passes(filter) || keys[l.key()] || l.Above < 0 || l.Above > mostAbove || l.For < time.Second || l.For > longestWindow {
			t.Errorf("limits %+v on %+v", h.EventLimits, h.Logs)
		}
		keys[l.key()] = true
	}
	for _, m := range h.MailRecords {
		if filter, there := channels[channel(m.Channel).key()]; !there || !m.passes(filter) {
			t.Errorf("mailed are %+v of %+v", h.MailRecords, h.Logs)
		}
	}
}

// checkLogin checks what hosts and jump hosts have in common.
func checkLogin(t *testing.T, h *Host) {
	t.Helper()
	if _, err := netip.ParseAddr(h.Address); err != nil && hostName(h.Address) != nil {
		t.Errorf("address %q", h.Address)
	}
	keys := len(h.Keys) > 0 || h.Agent != ""
	usable := slices.ContainsFunc(h.Authentication, func(method string) bool {
		return method == publicKey && keys || method != publicKey && !h.Password.Empty()
	})
	if h.User == "" || h.Port < 1 || h.Port > 65535 || !usable || h.Sessions < 1 || h.HostKeys != strict && h.HostKeys != acceptNew ||
		len(h.Certificates) > 0 && !keys || !h.Passphrase.Empty() && len(h.Keys) == 0 {
		t.Errorf("the login of %+v", h)
	}
}
