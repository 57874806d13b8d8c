package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestParseScript has what PowerShell reads as a command, what it prints, and what it does not take.
func TestParseScript(t *testing.T) {
	for script, want := range map[string][]statement{
		`AppData\Local\muster\x.exe --version`: {{words: []string{`AppData\Local\muster\x.exe`, "--version"}}},
		`.muster\x.exe`:                        {{words: []string{`.muster\x.exe`}}},
		"echo %A% %B%":                         {{words: []string{"echo", "%A%", "%B%"}}},
		"$env:A; $env:B":                       {{variable: "A"}, {variable: "B"}},
		`'C:\x y\z.exe'`:                       {{value: `C:\x y\z.exe`}},
		"":                                     nil,
	} {
		got, err := parseScript(script)
		if err != nil || !slices.EqualFunc(got, want, func(a, b statement) bool {
			return a.value == b.value && a.variable == b.variable && slices.Equal(a.words, b.words)
		}) {
			t.Errorf("%s: got %+v, %v", script, got, err)
		}
	}
	for _, script := range []string{
		`'C:\x y\z.exe' --version`, `"C:\x y\z.exe"`, "a && b", "a & b", "a < b", "a > b", "a | b", "a (b)", `a 'b c'`, "a $b", "%A%",
		"a,b", "a `b", "a #b", "@a", "-x", "uname -sm; 'x",
	} {
		if got, err := parseScript(script); err == nil {
			t.Errorf("%s: it is read as %+v", script, got)
		}
	}
}

func TestRunPrints(t *testing.T) {
	t.Setenv("MUSTER_A", "a b")
	for script, want := range map[string]string{
		"echo %A% b":     "%A%\r\nb\r\n",
		"$env:MUSTER_A":  "a b\r\n",
		"$env:MUSTER_NO": "",
		"'text'":         "text\r\n",
	} {
		statements, err := parseScript(script)
		if err != nil || len(statements) != 1 {
			t.Fatalf("%s: %+v, %v", script, statements, err)
		}
		var stdout, stderr bytes.Buffer
		if status := statements[0].run(&stdout, &stderr); status != 0 || stdout.String() != want || stderr.Len() > 0 {
			t.Errorf("%s: status %d, %q, %q", script, status, stdout.String(), stderr.String())
		}
	}
	var stdout, stderr bytes.Buffer
	if status := (statement{words: []string{"no-such-program"}}).run(&stdout, &stderr); status != 1 ||
		!strings.Contains(stderr.String(), "The term 'no-such-program' is not recognized") {
		t.Errorf("status %d, %q", status, stderr.String())
	}
}

// A program in the current folder is found by a path alone.
func TestFindProgram(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	t.Setenv("PATH", t.TempDir())
	if err := os.Mkdir("sub", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.exe", filepath.Join("sub", "y.exe")} {
		if err := os.WriteFile(name, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"x": false, "x.exe": false, "./x.exe": true, "sub/y": true, "sub/z.exe": false, "sub/": false} {
		if got, ok := findProgram(name); ok != want {
			t.Errorf("%s: got %q, %v", name, got, ok)
		}
	}
}

func TestCertutil(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("content"))
	var out bytes.Buffer
	if status := certutil([]string{"-hashfile", path, "SHA256"}, &out); status != 0 || !strings.Contains(out.String(), hex.EncodeToString(sum[:])+"\r\n") {
		t.Errorf("status %d, %q", status, out.String())
	}
	for _, arguments := range [][]string{nil, {"-hashfile", path}, {"-hashfile", path, "MD5"}, {"-hashfile", path + "no", "SHA256"}} {
		if status := certutil(arguments, &out); status == 0 {
			t.Errorf("%q: it is no mistake", arguments)
		}
	}
}
