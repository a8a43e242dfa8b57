package journal_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/timbridge/timbridge/journal"
)

// A journal is opened, something is appended, and a reader gets it.
func Example() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer j.Close()
	first, err := j.Append(ctx, []journal.Entry{
		{Kind: journal.KindFact, Body: []byte("alice said hi")},
		{Kind: journal.KindPlan, Body: []byte("publish it")},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("durable from position", first)

	r := j.Read(first)
	defer r.Close()
	entries, err := r.Next(ctx, 0, 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range entries {
		fmt.Printf("%d %v %s\n", e.Position, e.Kind, e.Body)
	}
	// Output:
	// durable from position 1
	// 1 fact alice said hi
	// 2 plan publish it
}

// What was built from the journal is saved with its position, so that at the
// next start only what came after it has to be read.
func ExampleJournal_SaveSnapshot() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer j.Close()

	count := 0
	for range 3 {
		if _, err := j.Append(ctx, []journal.Entry{{Kind: journal.KindFact, Body: []byte("x")}}); err != nil {
			log.Fatal(err)
		}
	}
	err = j.Scan(0, func(journal.Entry) error { count++; return nil })
	if err != nil {
		log.Fatal(err)
	}
	err = j.SaveSnapshot(ctx, journal.Snapshot{
		Position: j.Last(),
		Sections: []journal.Section{{Name: "count", Position: j.Last(), Body: []byte(fmt.Sprint(count))}},
	})
	if err != nil {
		log.Fatal(err)
	}

	snapshots, damaged := j.Snapshots()
	section, _ := snapshots[0].Section("count")
	fmt.Printf("%s entries up to %d, %d damaged\n", section.Body, section.Position, len(damaged))
	// Output: 3 entries up to 3, 0 damaged
}
