package badday

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/sshtest"
)

// Days returns everything that can be wrong with a host, in the order of a visit.
func Days() []Day {
	var all []Day
	for _, days := range [][]Day{connections(), logins(), sessions(), clients(), reports(), documents()} {
		all = append(all, days...)
	}
	return all
}

// accept is a host that does something to each connection before SSH begins.
func accept(do func(net.Conn) net.Conn) func(*sshtest.Options, <-chan struct{}) {
	return func(o *sshtest.Options, _ <-chan struct{}) { o.Accept = do }
}

// connections are bad days before anybody is asked who they are.
func connections() []Day {
	return []Day{
		{Name: "refuses", Absent: true, Stage: failure.Dial, Kind: failure.Refused, Advice: "sshd runs"},
		{
			Name: "silent before its banner", Server: accept(sshtest.Silent), Timeout: failure.Handshake,
			Stage: failure.Handshake, Kind: failure.Timeout, Advice: "stays silent",
		},
		{
			Name: "silent in the key exchange", Server: accept(sshtest.StallAfter(100)), Timeout: failure.Handshake,
			Stage: failure.Handshake, Kind: failure.Timeout, Advice: "does not go on",
		},
		{
			Name: "hangs up in the key exchange", Server: accept(sshtest.CutAfter(100)),
			Stage: failure.Handshake, Kind: failure.Disconnected, Advice: "MaxStartups",
		},
		{
			Name: "is a web server", Server: accept(sshtest.Say("HTTP/1.1 400 Bad Request\r\n\r\n")),
			Stage: failure.Handshake, Kind: failure.NotSSH, Advice: "port",
		},
		{
			Name: "greets without end", Server: accept(sshtest.Babble("welcome to a long talk\r\n")), Expensive: true,
			Stage: failure.Handshake, Kind: failure.NotSSH, Advice: "port",
		},
		{
			Name: "has another key", Later: true, Stage: failure.Handshake, Kind: failure.HostKeyChanged, Advice: "reinstalled",
			Turn: func(s *sshtest.Server) {
				if key, err := sshtest.NewKey(); err == nil {
					s.SetHostKeys(key)
				}
			},
		},
	}
}

// logins are bad days at the login.
func logins() []Day {
	return []Day{
		{
			Name: "silent in authentication", Timeout: failure.Authentication,
			Stage: failure.Authentication, Kind: failure.Timeout, Advice: "UseDNS",
			Server: func(o *sshtest.Options, end <-chan struct{}) {
				o.Configure = func(c *ssh.ServerConfig) {
					c.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
						<-end
						return nil, errors.New("too late")
					}
				}
			},
		},
		{
			Name: "has an endless banner", Stage: failure.Authentication, Kind: failure.Noise, Advice: "Banner", Expensive: true,
			Server: func(o *sshtest.Options, _ <-chan struct{}) {
				o.Configure = func(c *ssh.ServerConfig) {
					c.PreAuthConnCallback = func(conn ssh.ServerPreAuthConn) {
						for conn.SendAuthBanner(strings.Repeat("blah ", 1000)) == nil {
						}
					}
				}
			},
		},
		{
			Name: "wants another password", Stage: failure.Authentication, Kind: failure.PasswordRefused, Advice: "password",
			Server: func(o *sshtest.Options, _ <-chan struct{}) { o.Password = "another" },
		},
	}
}

// sessions are bad days between the login and the client.
func sessions() []Day {
	hangAt := func(word string) func(*sshtest.Options, <-chan struct{}) {
		return func(o *sshtest.Options, _ <-chan struct{}) {
			run := o.Exec
			o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
				if strings.Contains(s.Command, word) {
					return sshtest.Hang(ctx, s)
				}
				return run(ctx, s)
			}
		}
	}
	return []Day{
		{
			Name: "silent after the login", Server: hangAt("uname"), Timeout: failure.Platform,
			Stage: failure.Platform, Kind: failure.Timeout, Advice: "login script",
		},
		{
			Name: "has no shell", Stage: failure.Platform, Kind: failure.NoShell, Advice: "shell",
			Server: func(o *sshtest.Options, _ <-chan struct{}) { o.Refuse = sshtest.Refuse("exec") },
		},
		{
			Name: "talks into SFTP", Stage: failure.Deploy, Kind: failure.Noise, Advice: "login script",
			Server: func(o *sshtest.Options, _ <-chan struct{}) { o.SFTP = sshtest.Answer("Welcome!\n", 0) },
		},
		{
			Name: "silent in SFTP", Timeout: failure.Deploy, Stage: failure.Deploy, Kind: failure.Timeout, Advice: "disk",
			Server: func(o *sshtest.Options, _ <-chan struct{}) { o.SFTP = sshtest.Hang },
		},
		{
			Name: "has a tool that hangs", Server: hangAt("--version"), Timeout: failure.Deploy,
			Stage: failure.Deploy, Kind: failure.Timeout, Advice: "disk",
		},
	}
}

// floodAt is a host that prints a gigabyte in answer to a command.
func floodAt(word string) func(*sshtest.Options, <-chan struct{}) {
	return func(o *sshtest.Options, _ <-chan struct{}) {
		run := o.Exec
		o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			if !strings.Contains(s.Command, word) {
				return run(ctx, s)
			}
			flooding(s.Stdout, "again and again\n")
			return sshtest.Exit{}
		}
	}
}

// clients are bad days of the client itself.
func clients() []Day {
	return []Day{
		{
			Name: "has a client that never reports", Client: sshtest.Hang, Timeout: failure.Run,
			Stage: failure.Run, Kind: failure.Timeout, Advice: "hangs",
		},
		{Name: "has a client that never ends", Client: hangingAfter(func(frame string) string { return frame })},
		{
			Name: "kills its client", Stage: failure.Run, Kind: failure.ClientCrashed, Advice: "killed",
			Client: func(context.Context, *sshtest.Session) sshtest.Exit { return sshtest.Exit{Signal: "KILL"} },
		},
		{
			Name: "has a client that fails", Client: sshtest.Answer("", 1), Stage: failure.Run, Kind: failure.ClientFailed, Advice: "log",
		},
		{
			Name: "says something else", Client: sshtest.Answer("this account is closed\n", 0),
			Stage: failure.Run, Kind: failure.NoReport, Advice: "login script",
		},
		{
			Name: "sends a gigabyte", Client: talking("noise without end\n"), Expensive: true,
			Stage: failure.Run, Kind: failure.Noise, Advice: "login script",
		},
		{
			Name: "sends a line of a gigabyte", Client: talking("noise"), Expensive: true,
			Stage: failure.Run, Kind: failure.Noise, Advice: "login script",
		},
		{
			Name: "logs a gigabyte", Client: logging, Expensive: true,
			Stage: failure.Run, Kind: failure.Noise, Advice: "by hand",
		},
		{
			Name: "logs a gigabyte when it is asked what it is", Server: floodAt("uname"), Expensive: true,
			Stage: failure.Platform, Kind: failure.Noise, Advice: "by hand",
		},
		{
			Name: "breaks off in the report", Client: disconnecting,
			Stage: failure.Receive, Kind: failure.Disconnected, Advice: "sshd log",
		},
	}
}

// reports are bad days of what comes back.
func reports() []Day {
	half := func(frame string) string { return frame[:len(frame)/2] }
	return []Day{
		{
			Name: "stops in the middle of a report", Client: hangingAfter(half), Timeout: failure.Receive,
			Stage: failure.Receive, Kind: failure.Timeout, Advice: "half way",
		},
		{Name: "ends in the middle of a report", Client: framing(half), Stage: failure.Receive, Kind: failure.ReportCut, Advice: "network"},
		{
			Name: "changes its report", Stage: failure.Receive, Kind: failure.ReportAltered, Advice: "changes data",
			Client: framing(func(frame string) string {
				at := len(frame) - 20
				other := byte('A')
				if frame[at] == other {
					other = 'B'
				}
				return frame[:at] + string(other) + frame[at+1:]
			}),
		},
		{
			Name: "announces a gigabyte", Stage: failure.Run, Kind: failure.ReportTooLarge, Advice: "bounds", Expensive: true,
			Client: sshtest.Answer("MUSTER1 1073741824 "+strings.Repeat("ab", 32)+"\n", 0),
		},
		{
			Name: "sends a report of a gigabyte", Stage: failure.Receive, Kind: failure.ReportAltered, Advice: "changes data", Expensive: true,
			Client: func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
				_, _ = io.WriteString(s.Stdout, "MUSTER1 4194304 "+strings.Repeat("ab", 32)+"\n")
				return talking("QUJD")(ctx, s)
			},
		},
		{
			Name: "leaves a file of a gigabyte", Client: swelling, File: true, Expensive: true,
			Stage: failure.Receive, Kind: failure.ReportTooLarge, Advice: "bounds",
		},
		{
			Name: "repeats yesterday's report", Client: repeating(), Later: true, Stage: failure.Open, Kind: failure.ReportReplayed, Advice: "plays back",
		},
	}
}

// documents are bad days in the report itself.
func documents() []Day {
	invalid := func(name string, client sshtest.Handler) Day {
		return Day{Name: name, Client: client, Stage: failure.Decode, Kind: failure.ReportInvalid, Advice: "damaged"}
	}
	large := func(name string, stage failure.Stage, client sshtest.Handler) Day {
		return Day{Name: name, Client: client, Stage: stage, Kind: failure.ReportTooLarge, Advice: "bounds", Expensive: true}
	}
	value := func(v string) sshtest.Handler { return replacing(`value="42"`, `value="`+v+`"`) }
	return []Day{
		large("sends a compression bomb", failure.Open, reporting(func(string, *report.Request) string { return strings.Repeat(" ", bombSize) })),
		{
			Name: "sends a bomb that lies", Client: bomb, Expensive: true,
			Stage: failure.Open, Kind: failure.ReportInvalid, Advice: "damaged",
		},
		large("has a million statistics", failure.Open, reporting(func(document string, _ *report.Request) string { return statistics(document, 1_000_000) })),
		large("has as many as fit", failure.Decode, reporting(func(document string, _ *report.Request) string { return statistics(document, 50_000) })),
		invalid("sends deep XML", replacing("<statistics>", strings.Repeat("<a>", 1_000_000)+"<statistics>")),
		invalid("sends entities", replacing("<report ", `<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><report `)),
		invalid("sends NaN", value("NaN")),
		invalid("sends infinity", value("+Inf")),
		invalid("has names with control characters", replacing(`name="memory.usage"`, `name="memory&#10;usage"`)),
		invalid("has names that turn around", replacing(`name="memory.usage"`, "name=\"memory\u202eusage\"")),
		{
			Name: "sends another host's report", Stage: failure.Decode, Kind: failure.ReportReplayed, Advice: "in the client's place",
			Client: reporting(func(document string, r *report.Request) string {
				return strings.Replace(document, `host="`+r.Host+`"`, `host="good-0"`, 1)
			}),
		},
	}
}
