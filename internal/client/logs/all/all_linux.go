package all

import (
	"muster/internal/client/logs"
	"muster/internal/client/logs/journal"
)

func platform() []logs.Source {
	return []logs.Source{journal.Source()}
}
