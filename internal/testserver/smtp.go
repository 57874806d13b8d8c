package testserver

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// How long a test waits for Exim, at most.
const smtpPatience = 2 * time.Minute

// SMTPOptions say what kind of mail server a test wants. The zero value is one without login.
type SMTPOptions struct {
	Username         string   // empty: no login is offered or needed. Letters and digits only
	Password         string   // likewise
	Mechanisms       []string // of PLAIN and LOGIN; empty: both
	MaxPerConnection int      // mails taken over one connection before the server ends it; 0: many
}

// SMTPServer is a running Exim that takes mail for every address, delivers it into a folder, and sends nothing on. The
// recipients refused@… and later@… it refuses, for ever (550) and for now (451).
type SMTPServer struct {
	Host               string // 127.0.0.1
	Port               int    // with STARTTLS
	TLSPort            int    // with TLS from the first byte
	CA                 string // PEM file of the authority behind the server's certificate
	Username, Password string // as in the options

	t       testing.TB
	exim    string
	folder  string
	account *user.User // whom Exim runs as
	options SMTPOptions

	daemon *exec.Cmd     // nil: stopped
	ended  chan struct{} // closed when the daemon has ended
	stderr *bytes.Buffer // of the daemon; to be read once it has ended
}

// SMTPMail is a mail as the server delivered it.
type SMTPMail struct {
	From   string // envelope sender
	To     string // envelope recipient
	Raw    []byte // with the headers that Exim adds; lines end in LF
	Header mail.Header
	Body   []byte // encoded as it was sent
}

// SMTP starts Exim (Debian's exim4-daemon-light) on free ports of 127.0.0.1 with a certificate of its own for 127.0.0.1
// and localhost. It is stopped, and its data removed, when the test ends; its log is shown if the test fails.
func SMTP(t testing.TB, o SMTPOptions) *SMTPServer {
	t.Helper()
	s := &SMTPServer{
		Host: "127.0.0.1", Username: o.Username, Password: o.Password,
		t: t, exim: Need(t, "exim4", "exim4-daemon-light"), options: o,
	}
	var err error
	// Not t.TempDir: its parent is closed to the account that Exim changes to.
	if s.folder, err = os.MkdirTemp("", "muster-exim-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.remove() })
	if err := s.prepare(); err != nil {
		t.Fatalf("prepare exim: %v", err)
	}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("exim's log:\n%s%s", s.log("main"), s.log("panic"))
		}
	})
	// Somebody else than a test may take a port before Exim does.
	for attempt := 1; ; attempt++ {
		if err = s.configure(); err == nil {
			err = s.start()
		}
		if err == nil {
			return s
		}
		if attempt == 5 {
			t.Fatalf("start exim: %v", err)
		}
	}
}

// Start starts a stopped server on its ports.
func (s *SMTPServer) Start() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatalf("start exim: %v", err)
	}
}

// Restart ends the server, if it has not ended yet (because it was killed), and starts it again on its ports. It may be
// called from any goroutine, by one at a time.
func (s *SMTPServer) Restart() error {
	s.Stop()
	return s.start()
}

// Folder returns the server's own folder; its processes have it on their command line.
func (s *SMTPServer) Folder() string { return s.folder }

// Flush has the server deliver what it took and was kept from delivering.
func (s *SMTPServer) Flush() error {
	runner := exec.Command(s.exim, "-C", s.path("exim.conf"), "-qff")
	runner.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	if out, err := runner.CombinedOutput(); err != nil {
		return fmt.Errorf("exim's queue: %w\n%s", err, out)
	}
	return nil
}

// Stop ends the server: connections are refused from then on. What it delivered stays. Stopping twice does nothing.
func (s *SMTPServer) Stop() {
	if s.daemon == nil {
		return
	}
	if err := s.daemon.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Logf("stop exim: %v", err)
	}
	<-s.ended
	s.daemon = nil
}

// Messages waits until n mails are delivered, and fails the test if that takes too long. It returns all that are, oldest
// first.
func (s *SMTPServer) Messages(t testing.TB, n int) []SMTPMail {
	t.Helper()
	deadline := time.Now().Add(smtpPatience)
	for {
		mails := s.delivered(t)
		if len(mails) >= n {
			return mails
		}
		if time.Now().After(deadline) {
			t.Fatalf("exim delivered %d of %d mails within %v", len(mails), n, smtpPatience)
		}
		time.Sleep(10 * time.Millisecond) // a delivery is another process's: it gives no signal
	}
}

func (s *SMTPServer) delivered(t testing.TB) []SMTPMail {
	t.Helper()
	// A mail is moved to new when it is complete. The names begin with the time.
	files, err := filepath.Glob(filepath.Join(s.folder, "mail", "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	mails := make([]SMTPMail, 0, len(files))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := SMTPMail{Raw: raw}
		if err := m.parse(); err != nil {
			t.Fatalf("a mail that can't be parsed: %v\n%s", err, raw)
		}
		mails = append(mails, m)
	}
	return mails
}

func (m *SMTPMail) parse() error {
	parsed, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(parsed.Body); err != nil {
		return err
	}
	m.Header, m.Body = parsed.Header, body.Bytes()
	m.From = strings.Trim(parsed.Header.Get("Return-path"), "<>")
	m.To = parsed.Header.Get("Envelope-to")
	return nil
}

// prepare writes what all starts have in common: folders and certificates, for the account that Exim runs as.
func (s *SMTPServer) prepare() error {
	var err error
	if s.account, err = user.Current(); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		// Exim gives root away before it takes mail, and delivers nothing as root.
		if s.account, err = user.Lookup("Debian-exim"); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.folder, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"spool", "log", "mail"} {
		if err := os.Mkdir(s.path(name), 0o700); err != nil {
			return err
		}
	}
	s.CA = s.path("ca.pem")
	if err := writeCertificates(s.CA, s.path("cert.pem"), s.path("key.pem")); err != nil {
		return err
	}
	return s.own("spool", "log", "mail", "key.pem")
}

// own gives files to the account that Exim runs as, if that is another.
func (s *SMTPServer) own(names ...string) error {
	if os.Getuid() != 0 {
		return nil
	}
	uid, err := strconv.Atoi(s.account.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(s.account.Gid)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Chown(s.path(name), uid, gid); err != nil {
			return err
		}
	}
	return nil
}

// configure chooses free ports and writes Exim's configuration.
func (s *SMTPServer) configure() error {
	ports := reservePorts(s.t, 2)
	s.Port, s.TLSPort = ports[0], ports[1]
	mechanisms := s.options.Mechanisms
	if s.Username != "" && mechanisms == nil {
		mechanisms = []string{"PLAIN", "LOGIN"}
	}
	many := s.options.MaxPerConnection
	if many == 0 {
		many = 1000
	}
	group, err := user.LookupGroupId(s.account.Gid)
	if err != nil {
		return err
	}
	t, err := template.New("exim").Parse(smtpConfiguration)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	err = t.Execute(&text, map[string]any{
		"Folder": s.folder, "User": s.account.Username, "Group": group.Name, "Port": s.Port, "TLSPort": s.TLSPort,
		"Username": s.Username, "Password": s.Password, "Root": os.Getuid() == 0, "Many": many,
		"Plain": slices.Contains(mechanisms, "PLAIN"), "Login": slices.Contains(mechanisms, "LOGIN"),
	})
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("exim.conf"), text.Bytes(), 0o644)
}

// start runs the daemon and waits until it answers on both ports.
func (s *SMTPServer) start() error {
	s.stderr = &bytes.Buffer{}
	daemon := exec.Command(s.exim, "-bdf", "-C", s.path("exim.conf"))
	daemon.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	daemon.Stderr = s.stderr
	daemon.WaitDelay = 5 * time.Second // deliveries under way hold standard error open
	if err := daemon.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = daemon.Wait()
		close(ended)
	}()
	s.daemon, s.ended = daemon, ended
	for _, port := range []int{s.Port, s.TLSPort} {
		if err := s.await(port); err != nil {
			s.Stop()
			return fmt.Errorf("%w\n%s%s%s", err, s.stderr, s.log("main"), s.log("panic"))
		}
	}
	return nil
}

// await polls a port until it is open, the daemon has ended or patience is at its end.
func (s *SMTPServer) await(port int) error {
	deadline := time.Now().Add(smtpPatience)
	for {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(s.Host, strconv.Itoa(port)), time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.ended:
			return errors.New("exim ended")
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

// remove deletes the data. A delivery that was under way when the server was stopped may still write.
func (s *SMTPServer) remove() {
	deadline := time.Now().Add(smtpPatience)
	for {
		err := os.RemoveAll(s.folder)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Errorf("remove exim's data: %v", err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *SMTPServer) path(name string) string { return filepath.Join(s.folder, name) }

func (s *SMTPServer) log(name string) []byte {
	text, err := os.ReadFile(filepath.Join(s.folder, "log", name+"log"))
	if err != nil {
		return nil // Exim makes a log when it has something to say
	}
	return text
}
