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
//     is told as account.gap_detected, and the group goes on. A group is
//     followed from the first message that was seen of it.
//   - What is told about a message (that it was revoked, modified, read) comes
//     after the message, where that is on its way; the report is in no history,
//     and so never dropped to be read again.
//   - A service that pushes forgets what it has reported. After an absence from
//     one, what became of messages is read from history, as far back as
//     Config.ChangeWindow before it, and recorded once; what no history shows
//     is told as one account.gap_detected of the absence.
//   - After a time in which an account was not connected, each of its
//     conversations goes on where the journal has it: what was missed is read
//     from history, oldest first. What is reported meanwhile waits for it, and
//     the conversations in which something waits are read before the others.
//   - A full journal stops reports, and loses none. The outcomes of sends go by
//     the journal's reserve.
//
// # How it is used
//
// Load a snapshot, apply the journal's entries after it, and start
// [Ingress.Run]. For each account: give its client the [Ingress.Handler], call
// [Ingress.Announce], sign in, call [Ingress.CatchUp]; again CatchUp after each
// reconnect, and Announce before each further Login. When CatchUp returns an
// error, call it again: at once after [ErrInterrupted], if the account is
// connected, else after a while.
//
// Kicked, UserSig expired, connection changed: what a client reports of its
// account is recorded here. What the bridge learns otherwise, such as
// account.signed_in, it hands to [Ingress.RecordFact]; so too
// bridge.journal_damaged, before any account signs in: from then on each
// account's next CatchUp reads everything back to where the damage begins.
//
// # How it works
//
// One goroutine, the appender, decides everything: it takes all reports that
// wait, appends what is new of them as one batch, learns from what it appended,
// and acknowledges. What it knows is a projection of the journal (see
// [Ingress.Apply]): of each group the highest sequence and the gaps below it,
// of everything else a hash, kept for eight days; and how far each account has
// come. Replaying the journal, or what follows a snapshot of it, gives the same
// knowledge. For the last of these the appender writes entries of its own
// (journal.KindProgress).
//
// How far back history has to be read is the hard part. A group is read from
// its sequence. A one-to-one talk has none: it is read back to the newest
// message that is journaled and was told to an account by the service, because
// the service tells in order; a message that an account of the bridge sent does
// not count, for its outcome overtakes what the account is being told. A
// conversation of which nothing is journaled is read back to a minute before
// the newest message the account was told of. None of this may become untrue
// when the process ends at any point. Therefore history is journaled oldest
// first, and live reports of a conversation are held until its history was
// read.
package ingress
