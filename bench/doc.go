// Package bench holds the benchmarks that cross rooms: a report handed in until
// it is stored on the bus, and commands on the bus until their outcomes are.
// Each compares, in one run, with the raw client or with the part that limits
// it, and reports the ratio; docs/benchmarks.md has the figures.
package bench
