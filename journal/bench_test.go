package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal"
)

func benchEntries(n int) []journal.Entry {
	entries := make([]journal.Entry, n)
	for i := range entries {
		entries[i] = journal.Entry{Kind: journal.KindFact, Body: bytes.Repeat([]byte{byte(i)}, 1024)}
	}
	return entries
}

func benchJournal(b *testing.B, dir string) *journal.Journal {
	b.Helper()
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return j
}

// BenchmarkAppendAgainstBareFile appends batches of entries of 1 KiB, one
// caller, and after each the same bytes to a bare file with one write and one
// fdatasync. "ratio" is the journal's rate as a share of the bare file's.
func BenchmarkAppendAgainstBareFile(b *testing.B) {
	for _, n := range []int{1, 16, 128, 1024} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			j := benchJournal(b, filepath.Join(dir, "journal"))
			defer j.Close()
			bare, err := journal.OS{}.Create(filepath.Join(dir, "bare"))
			if err != nil {
				b.Fatal(err)
			}
			defer bare.Close()
			entries := benchEntries(n)
			raw := make([]byte, 1024*n)
			var inJournal, inBare time.Duration
			var off int64
			for b.Loop() {
				begin := time.Now()
				if _, err := j.Append(context.Background(), entries); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				if _, err := bare.WriteAt(raw, off); err != nil {
					b.Fatal(err)
				}
				if err := bare.Sync(); err != nil {
					b.Fatal(err)
				}
				off += int64(len(raw))
				inJournal += middle.Sub(begin)
				inBare += time.Since(middle)
				if off > 1<<30 {
					b.StopTimer()
					if err := bare.Truncate(0); err != nil {
						b.Fatal(err)
					}
					if _, err := j.DeleteBefore(j.Last()); err != nil {
						b.Fatal(err)
					}
					off = 0
					b.StartTimer()
				}
			}
			total := float64(b.N * n)
			b.ReportMetric(total/inJournal.Seconds(), "journal-entries/s")
			b.ReportMetric(total/inBare.Seconds(), "bare-entries/s")
			b.ReportMetric(inBare.Seconds()/inJournal.Seconds(), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkAppendConcurrently has callers who each append one entry and wait.
func BenchmarkAppendConcurrently(b *testing.B) {
	for _, callers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			j := benchJournal(b, b.TempDir())
			defer j.Close()
			const each = 64
			for b.Loop() {
				var wg sync.WaitGroup
				for range callers {
					wg.Go(func() {
						entries := benchEntries(1)
						for range each {
							if _, err := j.Append(context.Background(), entries); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
			}
			s := j.Stats()
			b.ReportMetric(float64(s.Entries)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(s.Entries)/float64(s.Commits), "entries/sync")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkRead reads 200,000 entries of 1 KiB: from the files, and right
// behind a writer who appends batches of 30.
func BenchmarkRead(b *testing.B) {
	b.Run("files", func(b *testing.B) {
		const total = 200_000
		dir := b.TempDir()
		j := benchJournal(b, dir)
		entries := benchEntries(1000)
		for range total / len(entries) {
			if _, err := j.Append(context.Background(), entries); err != nil {
				b.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
		j = benchJournal(b, dir) // with nothing in memory
		defer j.Close()
		for b.Loop() {
			if n := readAll(b, j, 1, total); n != total {
				b.Fatal(n)
			}
		}
		b.ReportMetric(float64(b.N*total)/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("behind a writer", func(b *testing.B) {
		j := benchJournal(b, b.TempDir())
		defer j.Close()
		entries := benchEntries(30)
		total := 0
		for b.Loop() {
			const rounds = 1000
			first := j.Last() + 1
			var wg sync.WaitGroup
			wg.Go(func() {
				for range rounds {
					if _, err := j.Append(context.Background(), entries); err != nil {
						b.Error(err)
					}
				}
			})
			total += readAll(b, j, first, rounds*len(entries))
			wg.Wait()
		}
		b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "entries/s")
	})
}

func readAll(b *testing.B, j *journal.Journal, from uint64, total int) (n int) {
	r := j.Read(from)
	defer r.Close()
	for n < total {
		entries, err := r.Next(context.Background(), 1000, 0)
		if err != nil {
			b.Fatal(err)
		}
		n += len(entries)
	}
	return n
}

// BenchmarkOpen opens a journal of 1 GiB whose last segment is nearly full.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	j := benchJournal(b, dir)
	entries := benchEntries(1024)
	for range 990 { // 62 commits are in a segment
		if _, err := j.Append(context.Background(), entries); err != nil {
			b.Fatal(err)
		}
	}
	size := j.Stats().Bytes
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		j, err := journal.Open(dir, journal.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(size)/(1<<20), "MiB")
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms")
	b.ReportMetric(0, "ns/op")
}
