// Package sandbox is an IM service for development and tests: [tim.Driver] in
// process, and over the network by [Sandbox.Handler], which speaks tim/wire.
// It keeps to what Tencent documents of its service, with its error codes, as
// far as that goes:
//
//   - Accounts: whoever signs in or is written to exists, unless
//     Options.Accounts lists those that do. UserSigs are checked with
//     Options.Key. An account has one session on each platform: a login kicks
//     the session there is. A device with an id of its own (DevID) that was not
//     in touch then is told by 6208 at its next login.
//   - Messages, one to one and in groups: each gets its sequence, random,
//     server time and id. A message sent again with its random inside the window
//     is answered with the first one's result. The receivers and the sender's
//     other platforms are told, now or at their next login.
//   - History, with the conversation list; recall inside its window.
//   - Files: an element that names one by its path is sent with it, from the
//     machine of the client. The service keeps it and fills the element in: id,
//     size, URL, and of an image the sides and two smaller sizes. Whoever has a
//     file's URL can download it. A file that no message uses (any more) is
//     removed after Options.Limits.MediaTime.
//   - What is done to messages later: changing them, with their version and a
//     code for who comes too late; read marks and unread counts; receipts for
//     those sent with the wish; deleting for oneself alone.
//   - Profiles, and who is online: subscriptions live as long as the session.
//   - Groups of all six types, each by its rules: who may create, join, invite,
//     remove, mute, set administrators, hand over, dismiss, quit; requests to
//     the owner and the admins; capacity; history; see rules.go, which has the
//     service's table as a table. A tip is a stored message of the group and
//     takes a sequence, where the type has it so, and comes to those online as
//     [tim.GroupTipped] too; of an AVChatRoom it comes as that alone. What
//     concerns single users (created, invited, kicked, dismissed, asked,
//     accepted, refused, made an administrator, muted) is told to them as a
//     message of the service itself, with a sequence of its own per group; all
//     copies are alike.
//   - Limits: sizes, rates, members.
//
// # What it promises
//
// A call is answered, and a report is handed out, only when what it says is on
// disk. A restart, a kill or a power cut changes nothing of it. An answer that
// never came means that nobody knows; sending again with the same random
// settles it. Reports to one account come in one order, and those of a group in
// the order of their sequence.
//
// With DeliveryAck a report is kept until [tim.Report].Ack was called, and comes
// again at the next login on that platform, with the same number, until then.
// Acknowledgements reach the disk a little later than they are given, so a kill
// can bring a report again that was acknowledged. With DeliveryPush a report is
// forgotten once its handler has returned. In both modes what arrives while an
// account is offline waits for its next login. Each platform that an account
// was ever signed in on gets every report; what came before the first login of
// all goes to the platform of that login.
//
// # Where the documents leave room
//
//   - A Private group becomes active with its owner's first message. Until
//     then only the owner sees it: the others can do nothing in it, and what
//     they are to be told waits and comes with that first message.
//     The group becomes active too when its owner leaves it or hands it over.
//   - Into a Public group or a ChatRoom only an app administrator
//     (Options.Admins) can invite, unless its approve option says otherwise:
//     any lets every member invite, auth the owner and admins, and any other
//     member's invitation becomes a request to them.
//   - What an AVChatRoom or a BChatRoom says reaches the members online, and is
//     kept nowhere: it has no sequence, and a report of it has no number and
//     does not come again. The same is true of [tim.GroupTipped] and of
//     online-only messages of all groups. Faults of reports do not meet these.
//     Members stay in such a room while they are offline.
//   - Nobody is asked whether they want to be invited, as the table has it, but
//     those of Options.AskInvitees: the service's tables have invitations that
//     the invitee decides on, and do not say when it makes them. A removal is
//     for now and not for a time: to ban members of an AVChatRoom is for the
//     application's servers at Tencent, and not offered here.
//   - Of a group's messages in a second, those of low priority are refused
//     first (Limits.GroupMessages).
//   - What an application's servers tell a group ([Sandbox.NotifyGroup]) comes as
//     a report, to those online alone.
//   - Who joins a ChatRoom reads what was said there before, in other groups
//     not (the documents of 2025).
//   - Changed custom fields of a group are told like its name. Nobody is told
//     of a name card. Keys of custom fields need not be declared anywhere.
//   - Name, introduction, notification and face of a group are for those whom
//     the table names; its custom fields, options and bounds for the same, but
//     of a Private group for the owner.
//   - A group keeps its last 1000 requests; one made again takes the first
//     one's place.
//   - Former members keep seeing what was said while they were in a group, as
//     they do on a device. The id of a dismissed group can be used again; its
//     sequences go on.
//   - Revoking tells everybody, who revokes included. A message that was
//     recalled stays in history with its status, and with its elements.
//   - A second recall ends with 20023, in a group with 10032.
//   - Everybody in a conversation can change its messages. A change says which
//     version it is made of only where the message given was read from the
//     service or has a Version; 8006 says that there is a later one. To say what
//     is said already is no change.
//   - The peer of a one-to-one talk is told of a read mark when it takes in
//     something of the peer's, with the time of the last message that was read.
//     Messages of oneself, tips, recalled messages and those that exclude
//     themselves do not count as unread; ChatRoom, AVChatRoom and BChatRoom have
//     no count.
//   - A receipt counts of those who were in the group when the message was
//     sent; a group of more than 200 has none (10060), an online-only message
//     neither (10061).
//   - An image of more than 24 million pixels is not looked into: all its sizes
//     are the file itself. Smaller sizes are made of the first picture of an
//     animation.
//   - The path that a file was sent from is not stored. What somebody on the
//     network names by a path is never read here.
//   - A user's own words as a status end when the user is signed in nowhere.
//     A process that starts anew knows of who is signed in by their coming back.
//   - Changed profiles are told to who shares a conversation, except an
//     AVChatRoom's members. The keys of custom fields need not be declared.
//   - A message for some of a group's members is refused with 10059.
//   - A random has 32 bits, and only one that the sender chose counts when a
//     message is sent again.
//
// # What it keeps
//
// Everything is in a journal, with snapshots so that it opens fast and does not
// grow for ever. Messages for reading back and reports that wait are bounded by
// number, size and age ([Limits]); accounts, groups and conversations with their
// last message are kept for ever. The text of messages lies in the directory as
// it was sent, in the journal and the last two snapshots, until these go. Files
// lie in Options.MediaDir by the SHA-256 of their content, each content once.
package sandbox
