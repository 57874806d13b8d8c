package sshtest

import (
	"context"
	"io"
	"path/filepath"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Session is a command, or SFTP, on a channel.
type Session struct {
	User    string
	Home    string
	Env     []string // those of Options
	Command string   // empty for SFTP
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Channel ssh.Channel // under the three streams, for a handler that does not behave
	Conn    ssh.Conn    // under the channel, likewise
}

// Exit is how a command ended. The zero value is success.
type Exit struct {
	Status uint32
	Signal string // as in KILL: in place of a status
	Silent bool   // say nothing of it
	Hold   bool   // say it, but leave the channel open until the client closes it
}

// Handler runs a session to its end. ctx ends when the client closes the channel or is gone, and when the server closes;
// the handler must return then.
type Handler func(ctx context.Context, s *Session) Exit

// session serves one channel.
func (s *Server) session(ctx context.Context, conn *ssh.ServerConn, offered ssh.NewChannel) {
	if offered.ChannelType() != "session" && s.options.Channel != nil {
		s.options.Channel(offered)
		return
	}
	if offered.ChannelType() != "session" {
		_ = offered.Reject(ssh.UnknownChannelType, "sessions only")
		return
	}
	if s.refuses("session") {
		_ = offered.Reject(ssh.Prohibited, "no sessions")
		return
	}
	channel, requests, err := offered.Accept()
	if err != nil {
		return
	}
	defer func() { _ = channel.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handler, session := s.await(conn, channel, requests)
	if handler == nil {
		return
	}
	gone := make(chan struct{})
	s.tasks.Go(func() {
		defer close(gone)
		defer cancel() // the client closed the channel, or is gone
		for request := range requests {
			s.other(request)
		}
	})
	exit := handler(ctx, session)
	report(channel, exit)
	if exit.Hold {
		<-gone
	}
}

// await serves requests until one of them begins something.
func (s *Server) await(conn *ssh.ServerConn, channel ssh.Channel, requests <-chan *ssh.Request) (Handler, *Session) {
	session := &Session{
		User: conn.User(), Home: s.options.Home, Env: s.options.Env,
		Stdin: channel, Stdout: channel, Stderr: channel.Stderr(), Channel: channel, Conn: conn,
	}
	for request := range requests {
		var named struct{ Name string } // the command, or the subsystem
		var handler Handler
		switch request.Type {
		case "exec":
			if ssh.Unmarshal(request.Payload, &named) == nil && !s.refuses("exec") {
				handler, session.Command = s.options.Exec, named.Name
			}
		case "subsystem":
			if ssh.Unmarshal(request.Payload, &named) == nil && named.Name == "sftp" && !s.refuses("sftp") {
				handler = s.options.SFTP
			}
		default:
			s.other(request)
			continue
		}
		if request.WantReply {
			_ = request.Reply(handler != nil, nil)
		}
		if handler != nil {
			return handler, session
		}
	}
	return nil, nil
}

func (s *Server) other(request *ssh.Request) {
	ok := s.options.Requests != nil && s.options.Requests(request)
	if request.WantReply {
		_ = request.Reply(ok, nil)
	}
}

// report says how a command ended (RFC 4254, section 6.10).
func report(channel ssh.Channel, exit Exit) {
	switch {
	case exit.Silent:
	case exit.Signal != "":
		message := struct {
			Signal            string
			CoreDumped        bool
			Message, Language string
		}{Signal: exit.Signal}
		_, _ = channel.SendRequest("exit-signal", false, ssh.Marshal(message))
	default:
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{exit.Status}))
	}
}

// ServeFiles serves SFTP from the real file system, with relative paths beginning in the home folder. The canonical form of
// a path is what its symbolic links lead to, as with OpenSSH, but on Windows.
func ServeFiles(ctx context.Context, s *Session) Exit {
	server, err := sftp.NewServer(&resolver{ReadWriteCloser: s.Channel, home: s.Home}, sftp.WithServerWorkingDirectory(filepath.ToSlash(s.Home)))
	if err != nil {
		return Exit{Status: 1}
	}
	release := context.AfterFunc(ctx, func() { _ = s.Channel.Close() })
	defer release()
	if server.Serve() != nil {
		return Exit{Status: 1}
	}
	return Exit{}
}
