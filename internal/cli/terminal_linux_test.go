package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal, and what came to it.
type terminal struct {
	*os.File // what a program writes to, and reads from
	master   *os.File
	shown    chan string
}

func newTerminal(t *testing.T, columns uint16) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{File: slave, master: master, shown: make(chan string, 1)}
	go func() {
		defer master.Close()
		var all bytes.Buffer
		_, _ = io.Copy(&all, master) // ends with an error once nobody has the other side open
		term.shown <- all.String()
	}()
	t.Cleanup(func() { slave.Close() })
	return term
}

// Screen closes the terminal and returns what a person sees on it in the end: line feeds, carriage returns, and the
// sequences that move up and erase are followed. Lines don't scroll away.
func (t *terminal) Screen() []string {
	t.Close()
	text := <-t.shown
	screen, row, column := [][]rune{{}}, 0, 0
	for text != "" {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(c rune) bool { return c >= '@' && c <= '~' })
			count := 1
			_, _ = fmt.Sscanf(rest[:end], "%d", &count)
			switch rest[end] {
			case 'A':
				row = max(row-count, 0)
			case 'J':
				screen = screen[:row+1]
				screen[row] = screen[row][:min(column, len(screen[row]))]
			}
			text = rest[end+1:]
			continue
		}
		c := []rune(text)[0]
		text = text[len(string(c)):]
		switch c {
		case '\r':
			column = 0
		case '\n':
			row++
			if row == len(screen) {
				screen = append(screen, nil)
			}
		default:
			for len(screen[row]) <= column {
				screen[row] = append(screen[row], ' ')
			}
			screen[row][column] = c
			column++
		}
	}
	lines := make([]string, len(screen))
	for i, line := range screen {
		lines[i] = strings.TrimRight(string(line), " ")
	}
	return lines
}
