package remote

import (
	"bytes"
	"context"
	"io"
	"slices"
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
	return c.Feed(ctx, command, bytes.NewReader(stdin))
}

// Feed is Output with a standard input that is read while it is sent. It ends where stdin fails, too, which is the caller's
// to notice; stdin must not block.
func (c *Conn) Feed(ctx context.Context, command string, stdin io.Reader) (Result, error) {
	process, err := c.Start(ctx, command)
	if err != nil {
		return Result{}, err
	}
	var streams sync.WaitGroup
	var stdout, stderr head
	streams.Go(func() { stdout.readAll(process.Stdout) })
	streams.Go(func() { stderr.readAll(process.Stderr) })
	streams.Go(func() {
		// A command need not read its input: that it ends before is no failure.
		_, _ = io.Copy(process.Stdin, stdin)
		_ = process.Stdin.Close()
	})
	// The process is cut off when ctx ends, also where it has ended and the host holds its streams open.
	defer c.begin(ctx)()
	status, err := process.Wait()
	streams.Wait()
	result := Result{Stdout: stdout.kept, Stderr: stderr.kept, Status: status}
	c.traceCommand(command, result, err)
	return result, err
}

// head keeps the beginning of a stream.
type head struct{ kept []byte }

// readAll reads a stream to its end. How it ended, Wait says.
func (h *head) readAll(stream io.Reader) {
	for len(h.kept) < outputLimit {
		h.kept = slices.Grow(h.kept, 512)
		n, err := stream.Read(h.kept[len(h.kept):min(cap(h.kept), outputLimit)])
		h.kept = h.kept[:len(h.kept)+n]
		if err != nil {
			return
		}
	}
	_, _ = io.Copy(io.Discard, stream)
}
