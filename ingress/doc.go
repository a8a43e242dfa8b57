// Package ingress records what the IM service reports: each report becomes
// CloudEvents in the journal, once, and only then is it acknowledged.
//
// # What is promised
//
//   - A report is acknowledged when everything in it is on disk. A repeat is
//     dropped, and acknowledged once its first is on disk.
//   - A message is journaled once, whoever reports it: the accounts it was told
//     to, the account that sent it ([Ingress.Post]), the history of its
//     conversation ([Ingress.CatchUp]).
//   - The messages of a group are journaled in the order of its sequence, those
//     of a one-to-one talk each sender's in the order sent. A gap in a group's
//     sequence is waited for, then read from history; what cannot be read back
//     is told as account.gap_detected, and the group goes on.
//   - After a time in which an account was not connected, each of its
//     conversations goes on where the journal has it: what was missed is read
//     from history, oldest first. What is reported meanwhile waits for it.
//
// One goroutine, the appender, decides all of it: it takes every report that
// waits, appends them as one batch and learns from what it appended. What it
// knows is a projection of the journal (see [Ingress.Apply]): replaying the
// journal, or what follows a snapshot of it, gives the same knowledge.
package ingress
