package remote

import (
	"fmt"
	"io"
	"os"

	"muster/internal/failure"
)

// configuration is the failure of a file or a setting that cannot work with any host.
func configuration(err error, advice string) *failure.Error {
	return &failure.Error{Kind: failure.Configuration, Err: err, Advice: advice}
}

// readSmall reads a whole file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s is larger than %d kB", path, limit>>10)
	}
	return io.ReadAll(io.LimitReader(file, limit))
}
