package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestQueue(t *testing.T) {
	c := parsed(t, muster(`<queue url="nats://b.example, [2001:DB8::1]:4223,nats://b.example:4222" username="muster"
		password="env:SMTP_PASSWORD" ca="ca.pem" replicas="1" size="1.5GiB" age="1d12h"/>`))
	q := c.Queue
	if !slices.Equal(q.URLs, []string{"nats://b.example:4222", "nats://[2001:db8::1]:4223"}) {
		t.Errorf("the servers are %q", q.URLs)
	}
	if q.Username != "muster" || q.Password.Reveal() != "swordfish" || q.Credentials != "" || q.CA != "/etc/muster/ca.pem" {
		t.Errorf("the login is %+v", q)
	}
	if q.Replicas != 1 || q.Size != 3<<29 || q.Age != 36*time.Hour {
		t.Errorf("the bounds are %+v", q)
	}
	q = parsed(t, muster(`<queue url="tls://a.example" credentials="db.pass"/>`)).Queue
	if q.Replicas != 3 || q.Size != 4<<30 || q.Age != 7*24*time.Hour || q.Credentials != "/etc/muster/db.pass" {
		t.Errorf("a cluster without more is %+v", q)
	}
	q = parsed(t, muster(`<queue size="64MiB" age="1h" replicas="1"/>`)).Queue
	if q.URLs != nil || q.Replicas != 1 || q.Size != 64<<20 || q.Age != time.Hour {
		t.Errorf("the server's own queue is %+v", q)
	}
}

func TestQueueEncryption(t *testing.T) {
	const login = ` username="u" password="p"`
	for attributes, want := range map[string]string{
		`url="nats://a.example"`:                          "clear",
		`url="nats://a.example" ca="ca.pem"` + login:      "TLS",
		`url="tls://a.example"` + login:                   "TLS",
		`url="nats://127.0.0.1,localhost,[::1]"` + login:  "clear",
		`url="nats://a.example" credentials="db.pass"`:    "clear", // they prove who one is, and are not sent
		`url="nats://a.example" ca=""` + login:            "refused",
		`url="nats://127.0.0.1,10.0.0.1"` + login:         "refused",
		`url="nats://localhost.example.org:4222"` + login: "refused",
		``: "clear",
	} {
		c, err := Parse(file, []byte(muster(`<queue `+attributes+`/>`)), fixture())
		got := "clear"
		switch {
		case err != nil && strings.Contains(err.Error(), "would send the password"):
			got = "refused"
		case err != nil:
			t.Errorf("%s: %v", attributes, err)
		case c.Queue.TLS():
			got = "TLS"
		}
		if got != want {
			t.Errorf("%s: %s, not %s", attributes, got, want)
		}
	}
}

func TestSpellSize(t *testing.T) {
	for want, size := range map[string]int64{
		"64MiB": 64 << 20, "1PiB": 1 << 50, "4GiB": 4 << 30, "1536MiB": 3 << 29, "1000B": 1000, "1KiB": 1024, "0B": 0,
	} {
		if got := spellSize(size); got != want {
			t.Errorf("%d is spelt %s, not %s", size, got, want)
		}
	}
}
