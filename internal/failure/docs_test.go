package failure_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"muster/internal/failure"
)

// TestDocumentation compares docs/failures.md with the code: every kind with its meaning, which is the comment beside it, and
// its advice, in the order of Kinds; and what to do about each stage that is too slow. A kind that was added to the code
// is added to the page by pasting what this test says is missing, and to the causes that package visit tries for real.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/failures.md")
	if err != nil {
		t.Fatal(err)
	}
	meanings := meanings(t)
	var want []string
	for _, kind := range failure.Kinds() {
		if meanings[kind] == "" {
			t.Errorf("%s has no meaning: write it beside the constant", kind)
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", kind, cell(meanings[kind]), cell(kind.Advice())))
	}
	for _, stage := range failure.Stages() {
		if advice := stage.Slow(); advice != failure.Timeout.Advice() {
			want = append(want, fmt.Sprintf("| `timeout` at `%s` | %s |", stage, cell(advice)))
		}
	}
	var rows []string
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	for i := range max(len(want), len(rows)) {
		switch {
		case i >= len(rows):
			t.Errorf("docs/failures.md lacks the row\n%s", want[i])
		case i >= len(want):
			t.Errorf("docs/failures.md has a row too many\n%s", rows[i])
		case rows[i] != want[i]:
			t.Fatalf("docs/failures.md has the row\n%s\nin place of\n%s", rows[i], want[i])
		}
	}
}

// cell is text as it stands in a table of Markdown, where < would begin a tag.
func cell(text string) string { return strings.ReplaceAll(text, "<", "&lt;") }

// meanings reads what stands beside each kind in the source.
func meanings(t *testing.T) map[failure.Kind]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "failure.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[failure.Kind]string)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil || fmt.Sprint(spec.Type) != "Kind" || len(spec.Values) != 1 {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found[failure.Kind(value)] = strings.TrimSpace(spec.Comment.Text())
		return true
	})
	return found
}
