package queue_test

import (
	"errors"
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

func TestInThisProcess(t *testing.T) {
	suite(t, options)
	t.Run("TheLargestEntry", testTheLargestEntry)
}

// In this process a message may have 8 MiB.
func testTheLargestEntry(t *testing.T) {
	q := open(t, options(t))
	want := queue.Entry{Kind: "visit", ID: "large", Data: noise(1, 8<<20-8<<10)}
	if err := q.Put(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	entries, err := reader(t, q, "store").Next(t.Context(), 1)
	if err != nil || len(entries) != 1 || string(entries[0].Data) != string(want.Data) {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if err := q.Bury(t.Context(), entries[0], "too large for the database"); err != nil {
		t.Fatal(err)
	}
	small := queue.Entry{Kind: "visit", ID: "bomb", Data: make([]byte, 17<<20)} // compressed it is small, but nobody could unpack it
	if err := q.Put(t.Context(), small); !errors.Is(err, queue.ErrTooLarge) {
		t.Fatalf("17 MiB of zeros: %v", err)
	}
}
