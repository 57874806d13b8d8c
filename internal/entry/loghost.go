package entry

import (
	"encoding/json"
	"errors"
	"fmt"
)

// HostOfLogs returns the host whose logs an entry brings. It does not look at the records, which are nearly all of it: so who
// has no use for those of a host need not have them read.
func HostOfLogs(data []byte) (string, error) {
	r, err := open(data)
	if err != nil {
		return "", err
	}
	var l struct{ Host string }
	if err := json.Unmarshal(r.text(), &l); err != nil || r.cut {
		return "", fmt.Errorf("%w: logs: %w", ErrUnreadable, errors.Join(err, r.err()))
	}
	if l.Host == "" {
		return "", fmt.Errorf("%w: logs without a host", ErrUnreadable)
	}
	return l.Host, nil
}
