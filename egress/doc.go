// Package egress takes commands off the bus, carries them out in chat and
// records what came of each.
//
// A command that is read is checked (is it a CloudEvent, does it fit its
// schema, may it, did it come before) and then journaled as accepted, with its
// place on the bus, or as rejected, together with its outcome. Accepted
// commands go to their lane: one for each acting account and conversation,
// where they keep their order. The lane waits until the account is connected
// and the rate allows it, journals the attempt as started, calls the IM
// service, and journals the outcome; for a message sent, the outcome and the
// message are one append. Meanwhile the lane's next command is started already.
//
// Where the process can end, and what happens then:
//
//	before accepted      the command is read again
//	accepted             it is carried out after the restart, before anything new in its lane
//	started              it is in doubt
//	the call returned    it is in doubt
//	the outcome          it is finished
//
// A command in doubt is settled before it is repeated, and before anything
// else happens in its lane: by sending again with the same random where the
// service still remembers it, by looking in the conversation's history, or by
// repeating what can be repeated without harm. Where a repeat is refused, the
// service is asked whether things are already as the command wants them. What nothing can settle fails
// with the code in_doubt (see [OnDoubt]). A call whose answer never came is
// settled in the same way.
//
// The files of a message are fetched before the send is started, from hosts
// that the policy allows, and lie in a folder until the call has returned for
// the last time.
//
// Everything egress knows is a projection of the journal ([Egress.Apply]),
// and it applies its own entries as it appends them. To start, bring the
// projection up to date ([Egress.Load], Apply), then [Egress.Run].
package egress
