package jump_test

import (
	"testing"

	"muster/internal/testserver"
)

func freeze(t *testing.T, s *testserver.Sshd) { s.Freeze(t) }
func thaw(t *testing.T, s *testserver.Sshd)   { s.Thaw(t) }
