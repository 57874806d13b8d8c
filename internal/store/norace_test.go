//go:build !race

package store

// raceDetector says that the tests run under the race detector.
const raceDetector = false
