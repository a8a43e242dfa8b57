// Package mapping turns what happens at the IM service into CloudEvents, and
// CloudEvents into commands for it. Its functions are pure: no I/O, no clock,
// no global state; the same input gives the same bytes in every process, which
// is why a report that is told twice, or again after a crash, gives the same
// event id.
//
// Facts come from [FromMessage], [FromRevoked], [FromModified], [FromReceipt],
// [FromGroupTip], [FromStatus], [FromProfile], [FromUnrecognized] and
// [AccountFact]; commands from [Commands.ToCommand]; what came of a command is
// an [Outcome] and, where it failed for good, a [DeadLetter]. [Encode] and
// [Decode] turn an event into the body of a journal entry and back, and [Stamp]
// adds the attributes that only the journal knows.
//
// Attributes, subjects and ids are described in the design; docs/ has the
// reference of every type, generated from the schemas.
package mapping
