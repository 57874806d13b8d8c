package mail_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/mail"
)

func good() mail.Server {
	return mail.Server{Host: "127.0.0.1", Port: 25, Security: mail.None, From: "Muster <muster@example.org>"}
}

func TestNewChecks(t *testing.T) {
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(*mail.Server)
		want   string
	}{
		"good":                 {func(*mail.Server) {}, ""},
		"no host":              {func(s *mail.Server) { s.Host = "" }, "no host"},
		"no port":              {func(s *mail.Server) { s.Port = 0 }, "port 0"},
		"port too large":       {func(s *mail.Server) { s.Port = 65536 }, "port 65536"},
		"no security":          {func(s *mail.Server) { s.Security = "" }, "security"},
		"other security":       {func(s *mail.Server) { s.Security = "ssl" }, `"ssl"`},
		"negative timeout":     {func(s *mail.Server) { s.Timeout = -time.Second }, "negative"},
		"no sender":            {func(s *mail.Server) { s.From = "" }, "sender's address"},
		"sender is no address": {func(s *mail.Server) { s.From = "muster" }, "sender's address"},
		"sender with a header": {func(s *mail.Server) { s.From = "a@example.org\r\nBcc: b@example.org" }, "sender's address"},
		"password alone":       {func(s *mail.Server) { s.Password = "x" }, "without a username"},
		"CA is missing":        {func(s *mail.Server) { s.CA = filepath.Join(folder, "none") }, "none"},
		"CA is empty":          {func(s *mail.Server) { s.CA = empty }, "no certificate in PEM"},
	}
	for name, test := range tests {
		s := good()
		test.change(&s)
		sender, err := mail.New(s)
		if test.want == "" {
			if err != nil || sender == nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || sender != nil {
			t.Errorf("%s: %v, want one with %q", name, err, test.want)
		}
	}
}

func TestServerDoesNotPrintItsPassword(t *testing.T) {
	s := good()
	s.Username, s.Password = "muster", "hunter2"
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "server", s)
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s", s, s, s, s), log.String()} {
		if strings.Contains(text, "hunter2") || !strings.Contains(text, "127.0.0.1:25") {
			t.Errorf("printed: %s", text)
		}
	}
}
