package all

import (
	"muster/internal/client/logs"
	"muster/internal/client/logs/wevt"
)

func platform() []logs.Source {
	return []logs.Source{wevt.Source()}
}
