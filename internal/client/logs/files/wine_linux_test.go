package files_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/testserver"
)

// Tests of this package pass under Wine, too: files are named, told apart, renamed and deleted there as on Windows. These
// are those that depend on the platform; each file costs Wine a while.
func TestOnWindows(t *testing.T) {
	wine := testserver.Wine(t)
	path := filepath.Join(t.TempDir(), "files.test.exe")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-trimpath", "-o", path, ".")
	build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the tests: %v\n%s", err, output)
	}
	const chosen = "^(TestLinesAsTheyAreWritten|TestRotationByRename|TestAFileIsNotLeftWhileItIsWrittenTo|" +
		"TestACopyTakesTheFilesPlace|TestAFileThatIsGone|TestAnInodeIsUsedAgain|TestCopyTruncateInTheMiddleOfAReading)$"
	output, err := wine.Command(t.Context(), path, "-test.v", "-test.run", chosen).CombinedOutput()
	if err != nil || !strings.Contains(string(output), "--- PASS: TestAFileThatIsGone") {
		t.Errorf("%v\n%s", err, output)
	}
}
