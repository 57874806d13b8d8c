package main

import (
	"io"
	"os"
	"os/exec"
	"sync"

	"muster/internal/sshtest"
)

// process is a shell that runs, with pipes to its three streams.
type process struct {
	command        *exec.Cmd
	stdin          io.WriteCloser
	stdout, stderr *os.File
}

// start starts a command. The pipes are our own, so that waiting for the command is not waiting for the end of its output.
func start(command *exec.Cmd) (*process, error) {
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	p := &process{command: command, stdin: stdin}
	var theirs []*os.File
	for _, stream := range []struct {
		ours  **os.File
		their *io.Writer
	}{{&p.stdout, &command.Stdout}, {&p.stderr, &command.Stderr}} {
		reader, writer, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		*stream.ours, *stream.their = reader, writer
		theirs = append(theirs, writer)
	}
	err = command.Start()
	for _, file := range theirs {
		file.Close()
	}
	return p, err
}

// feed hands on the input until it ends, which it does with the connection too.
func (p *process) feed(input io.Reader) {
	_, _ = io.Copy(p.stdin, input)
	_ = p.stdin.Close()
}

// drain hands on the output, and closes the channel when all of it is through.
func (p *process) drain(s *sshtest.Session) <-chan struct{} {
	var streams sync.WaitGroup
	streams.Go(func() { _, _ = io.Copy(s.Stdout, p.stdout) })
	streams.Go(func() { _, _ = io.Copy(s.Stderr, p.stderr) })
	ended := make(chan struct{})
	go func() {
		streams.Wait()
		close(ended)
	}()
	return ended
}

func (p *process) wait() uint32 {
	_ = p.command.Wait() // the state says how it ended
	return uint32(p.command.ProcessState.ExitCode())
}

func (p *process) close() {
	_ = p.stdin.Close()
	p.stdout.Close()
	p.stderr.Close()
}
