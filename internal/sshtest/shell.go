package sshtest

import (
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// lingering is how long the output of a program that outlives the command is waited for.
const lingering = 2 * time.Second

// Shell runs a command as a login on a real machine would: by /bin/sh (cmd.exe on Windows), in the home folder, with a
// small environment that has nothing of this process's own but the PATH. When the client closes the channel or is gone,
// the command and all that it started is killed.
func Shell(ctx context.Context, s *Session) Exit {
	program, argument := "/bin/sh", "-c"
	if runtime.GOOS == "windows" {
		program, argument = "cmd.exe", "/c"
	}
	command := exec.CommandContext(ctx, program, argument, s.Command) //nolint:gosec // to run what it is told is its purpose
	command.Dir = s.Home
	command.Env = environment(s, program)
	command.Stdout, command.Stderr = s.Stdout, s.Stderr
	command.WaitDelay = lingering
	ownGroup(command)
	stdin, err := command.StdinPipe()
	if err != nil {
		return Exit{Status: 255}
	}
	if err := command.Start(); err != nil {
		_, _ = io.WriteString(s.Stderr, err.Error()+"\n")
		return Exit{Status: 127}
	}
	// The copy ends with the client's input, or when the session is over: not before the command, and not later than
	// the channel, which is closed for it.
	var copying sync.WaitGroup
	copying.Go(func() {
		_, _ = io.Copy(stdin, s.Stdin)
		_ = stdin.Close()
	})
	// What is wrong with its output is the client's doing.
	_ = command.Wait()
	exit := exitOf(command.ProcessState)
	report(s.Channel, exit)
	_ = s.Channel.Close()
	copying.Wait()
	exit.Silent = true // it has been said
	return exit
}

func environment(s *Session, shell string) []string {
	env := []string{
		"HOME=" + s.Home, "USER=" + s.User, "LOGNAME=" + s.User, "SHELL=" + shell, "PATH=" + os.Getenv("PATH"),
	}
	if runtime.GOOS == "windows" {
		env = append(env, "USERPROFILE="+s.Home, "SystemRoot="+os.Getenv("SystemRoot"), "TEMP="+s.Home)
	}
	return append(env, s.Env...)
}

func exitOf(state *os.ProcessState) Exit {
	if signal := signalOf(state); signal != "" {
		return Exit{Signal: signal}
	}
	return Exit{Status: uint32(state.ExitCode())}
}
