// Package journal is an append-only log on disk, and snapshots of what is built
// from it. It knows the kind of an entry, not its body.
//
// # What it promises
//
//   - When Append returns nil, its entries are durable, all of them, under
//     positions that follow each other. When it returns an error they are not in
//     the log and never will be; after ErrFailed alone that is open.
//   - Readers see entries in order and only once they are durable: what a reader
//     has seen no crash takes back.
//   - No position is given to two entries that anyone has seen.
//   - Nothing is read that was not written: every byte that is returned has been
//     checked against a checksum.
//   - What a crash leaves, Open mends by itself. What a crash cannot leave is
//     damage: a [*CorruptError] from Open or from reading, never silently less.
//
// # The crash model
//
// A crash is the end of the process or of the machine at any moment, also
// during the recovery from another. After it, of everything that was not
// synced, the disk has any part:
//
//   - of a write, any of its sectors, in any order, each whole or its beginning;
//   - of a changed length, the old or the new one, filled with zeros or garbage;
//   - of the names made, moved and removed in a directory, each or not, a rename
//     always whole.
//
// What was synced before is still there: an fdatasync that returned has made
// contents and length durable, an fsync of a directory its names. Writing into
// a sector does not change those of its bytes that are not being written, nor
// bytes that are written again as they were ("powersafe overwrite", which
// SQLite and raft-wal rely on too). An fsync that fails may have forgotten what
// it should have written, although the file still reads well; the journal then
// fails for ever, and the next Open writes again what nothing proves durable.
//
// How recovery tells the two apart: each commit says up to where everything had
// been synced before it was written. A commit that does not check out at a place
// that a later one says was synced is damage; one beyond every such place was
// never acknowledged, or is the very last acknowledged one. That one gets its
// witness by an empty commit, the mark, when the log has been idle for a second,
// or is closed. Damage to the very last commit before that is the one damage
// that cannot be told from a crash.
//
// README.md has the layouts, the steps of recovery and the limits.
package journal
