package queue_test

import (
	"testing"

	"muster/internal/queue"
)

// suite is what every queue does, wherever it is. The function returns the options of an empty one.
func suite(t *testing.T, fresh func(t *testing.T) queue.Options) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, o queue.Options)
	}{
		{"EachReaderGetsEveryEntryInOrder", testEachReaderGetsEveryEntryInOrder},
		{"WhatIsNotDoneIsReadAgainAfterARestart", testWhatIsNotDoneIsReadAgainAfterARestart},
		{"EntriesPutAtTheSameTimeShareGroups", testEntriesPutAtTheSameTimeShareGroups},
		{"NextWaitsForAnEntry", testNextWaitsForAnEntry},
		{"WaitIsForWhatWasPutBefore", testWaitIsForWhatWasPutBefore},
		{"LargeEntriesComeBack", testLargeEntriesComeBack},
		{"EntriesThatAreTooLargeAreRefused", testEntriesThatAreTooLargeAreRefused},
		{"TooManyBytesRefuseReportsUntilTheyAreDone", testTooManyBytesRefuseReportsUntilTheyAreDone},
		{"WhatWaitsTooLongRefusesReports", testWhatWaitsTooLongRefusesReports},
		{"DeadLetters", testDeadLetters},
		{"TablesKeepWhatWasPutLast", testTablesKeepWhatWasPutLast},
		{"AClosedQueueRefuses", testAClosedQueueRefuses},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, fresh(t)) })
	}
}

func TestInThisProcess(t *testing.T) { suite(t, options) }
