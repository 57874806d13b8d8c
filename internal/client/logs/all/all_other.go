//go:build !windows && !linux

package all

import "muster/internal/client/logs"

func platform() []logs.Source {
	return nil
}
