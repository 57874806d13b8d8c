package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// powershell is a stand-in for powershell.exe -c LINE. It knows how PowerShell 5.1 reads the command lines that a visit
// has for Windows, and refuses those of which it does not know that: it must not run what PowerShell would read in
// another way.
//
//   - All arguments after -c are one script, joined by blanks. Its statements stand between semicolons.
//   - A statement that begins with a letter, a digit, a dot or a backslash is a command; one with a separator of
//     folders in its name is the path of a program, seen from where the shell stands. Other programs are looked for in PATH,
//     and nowhere else: not in the current folder.
//   - A statement that begins with a quote is a text, which is printed and not run. $env:NAME is printed too.
//   - & at the end, && and || are mistakes in 5.1, and < is in all versions.
//   - %NAME% is not replaced. echo prints each of its words on a line of its own.
//   - A program has the shell's own three streams. The shell itself leaves standard input alone unless the script has
//     $input in it.
//   - The exit status is 0 or 1, whatever the program's was.
func powershell(arguments []string) int {
	if len(arguments) < 2 || arguments[0] != "-c" {
		fmt.Fprintln(os.Stderr, "the stand-in for powershell.exe takes -c and a script")
		return 64
	}
	statements, err := parseScript(strings.Join(arguments[1:], " "))
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\r\n    + CategoryInfo          : ParserError: (:) [], ParentContainsErrorRecordException\r\n", err)
		return 1
	}
	status := 0
	for _, s := range statements {
		status = s.run(os.Stdout, os.Stderr)
	}
	return status
}

// statement is one statement of a script: a value that is printed, or a command.
type statement struct {
	value    string // what is printed
	variable string // the environment variable that is printed
	words    []string
}

// parseScript reads a script. Everything is read before anything is run.
func parseScript(script string) ([]statement, error) {
	if strings.ContainsAny(script, "@(){}[]|<>`,#\"") || strings.Contains(script, "&") {
		return nil, errors.New("the stand-in for PowerShell does not read this; mind that PowerShell reads it, and cmd.exe in another way")
	}
	var statements []statement
	for text := range strings.SplitSeq(script, ";") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		s, err := parseStatement(text)
		if err != nil {
			return nil, err
		}
		statements = append(statements, s)
	}
	return statements, nil
}

func parseStatement(text string) (statement, error) {
	switch first := text[0]; {
	case first == '\'':
		value, rest, ok := strings.Cut(text[1:], "'")
		if rest = strings.TrimSpace(rest); !ok || rest != "" {
			return statement{}, fmt.Errorf("Unexpected token '%s' in expression or statement.", rest) //nolint:revive,staticcheck // its words
		}
		return statement{value: value}, nil
	case strings.HasPrefix(text, "$env:"):
		return statement{variable: text[len("$env:"):]}, nil
	case isLetter(first), first == '.', first == '\\':
		if strings.ContainsAny(text, "'$") {
			return statement{}, errors.New("the stand-in for PowerShell does not read quotes and variables within a command")
		}
		return statement{words: strings.Fields(text)}, nil
	}
	return statement{}, fmt.Errorf("the stand-in for PowerShell does not know what begins with %.1s", text)
}

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// run runs a statement and returns what the exit status would be if it were the last.
func (s statement) run(stdout, stderr io.Writer) int {
	switch {
	case s.variable != "":
		if value, ok := os.LookupEnv(s.variable); ok {
			fmt.Fprintf(stdout, "%s\r\n", value)
		}
		return 0
	case s.words == nil:
		fmt.Fprintf(stdout, "%s\r\n", s.value)
		return 0
	case strings.EqualFold(s.words[0], "echo"):
		for _, word := range s.words[1:] {
			fmt.Fprintf(stdout, "%s\r\n", word)
		}
		return 0
	}
	program, ok := findProgram(s.words[0])
	if !ok {
		fmt.Fprintf(stderr, "%[1]s : The term '%[1]s' is not recognized as the name of a cmdlet, function, script file, or operable \r\n"+
			"program. Check the spelling of the name, or if a path was included, verify that the path is correct and try again.\r\n"+
			"At line:1 char:1\r\n", s.words[0])
		return 1
	}
	command := exec.Command(program, s.words[1:]...) //nolint:gosec,noctx // to run what it is told is its purpose
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, stdout, stderr
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		fmt.Fprintf(stderr, "Program '%s' failed to run: %v\r\nAt line:1 char:1\r\n", filepath.Base(program), err)
	}
	return 1
}

// findProgram looks for a program where PowerShell does.
func findProgram(name string) (string, bool) {
	if filepath.Ext(name) == "" {
		name += ".exe"
	}
	if strings.ContainsAny(name, `\/`) {
		path, err := filepath.Abs(name)
		if err != nil {
			return "", false
		}
		info, err := os.Stat(path)
		return path, err == nil && info.Mode().IsRegular()
	}
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, true
		}
	}
	return "", false
}
