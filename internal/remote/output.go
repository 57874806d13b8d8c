package remote

import (
	"bytes"
	"context"
	"io"
	"sync"
)

// outputLimit bounds what Output keeps of each of a command's two streams.
const outputLimit = 64 << 10

// Result is a finished command. Stdout and Stderr hold the first 64 KiB of each; what came after that was read and
// thrown away.
type Result struct {
	Stdout, Stderr []byte
	Status         int
}

// Output runs a command to its end, with stdin as its whole standard input. A status other than zero is no error. The
// errors are those of Start and Process.Wait; with those of Wait the result holds what was read.
func (c *Conn) Output(ctx context.Context, command string, stdin []byte) (Result, error) {
	process, err := c.Start(ctx, command)
	if err != nil {
		return Result{}, err
	}
	var streams sync.WaitGroup
	var stdout, stderr head
	streams.Go(func() { _, _ = io.Copy(&stdout, process.Stdout) })
	streams.Go(func() { _, _ = io.Copy(&stderr, process.Stderr) })
	streams.Go(func() {
		// A command need not read its input: that it ends before is no failure.
		_, _ = io.Copy(process.Stdin, bytes.NewReader(stdin))
		_ = process.Stdin.Close()
	})
	// The process is cut off when ctx ends, also where it has ended and the host holds its streams open.
	defer c.begin(ctx)()
	status, err := process.Wait()
	streams.Wait()
	return Result{Stdout: stdout.kept, Stderr: stderr.kept, Status: status}, err
}

// head keeps the beginning of what is written to it.
type head struct{ kept []byte }

func (h *head) Write(data []byte) (int, error) {
	h.kept = append(h.kept, data[:min(len(data), outputLimit-len(h.kept))]...)
	return len(data), nil
}
