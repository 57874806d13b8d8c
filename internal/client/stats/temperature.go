package stats

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"

	"github.com/shirou/gopsutil/v4/sensors"

	"muster/internal/report"
)

// readTemperatures gives the temperatures of the sensors that can be read. Most virtual machines have none, and a
// sensor of a device that is switched off gives none: neither is an error. gopsutil's error says only that something
// could not be read on the systems other than Linux, where it is mostly the privilege to ask, so it is none either.
func readTemperatures(ctx context.Context) ([]report.Statistic, error) {
	read, err := sensors.TemperaturesWithContext(ctx)
	var unreadable *sensors.Warnings
	if err != nil && runtime.GOOS == "linux" && !errors.As(err, &unreadable) {
		err = fmt.Errorf("sensors: %w", err)
	} else {
		err = nil
	}
	return temperatureStatistics(read, runtime.GOOS), err
}

// temperatureStatistics leaves out what is no temperature (macOS gives 0 for a sensor that an Intel machine does not
// have) and numbers sensors of the same name, such as those of two disks, in the order the system lists them.
func temperatureStatistics(read []sensors.TemperatureStat, goos string) []report.Statistic {
	const absoluteZero, tooHot = -273.15, 1000
	all := make([]report.Statistic, 0, len(read))
	seen := make(map[string]int, len(read))
	for _, sensor := range read {
		t := sensor.Temperature
		if sensor.SensorKey == "" || math.IsNaN(t) || t <= absoluteZero || t >= tooHot || t == 0 && goos == "darwin" {
			continue
		}
		seen[sensor.SensorKey]++
		name := sensor.SensorKey
		if n := seen[name]; n > 1 {
			name = fmt.Sprintf("%s#%d", name, n)
		}
		all = append(all, gauge("temperature", name, "Cel", t))
	}
	return all
}
