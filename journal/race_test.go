//go:build race

package journal_test

// raced is whether the race detector is on. It slows the enumerations of
// crashes down tenfold, and they have one goroutine at a time to race with.
const raced = true
