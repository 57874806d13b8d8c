//go:build !linux

package jump_test

import (
	"testing"

	"muster/internal/testserver"
)

func freeze(t *testing.T, _ *testserver.Sshd) { t.Skip("only on Linux") }
func thaw(*testing.T, *testserver.Sshd)       {}
