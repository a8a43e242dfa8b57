// Package journal is an append-only log on disk, and snapshots of what is built
// from it.
package journal
