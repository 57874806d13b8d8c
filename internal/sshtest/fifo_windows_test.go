package sshtest_test

import (
	"errors"
	"os"
)

func openWriter(string) (*os.File, error) { return nil, errors.ErrUnsupported }
