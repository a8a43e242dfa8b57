package sandbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

// Delivery says when a report that was handed to an account is forgotten.
type Delivery string

const (
	// DeliveryAck keeps a report until its Ack was called, and delivers it again,
	// with the same number, to the next session of the account on that platform.
	DeliveryAck Delivery = "ack"
	// DeliveryPush forgets a report as soon as the handler has returned, as
	// Tencent does. What arrives while an account is offline is kept for its
	// next login in this mode too, and forgotten once handed over.
	DeliveryPush Delivery = "push"
)

// How long the service remembers a random, counted from the first send.
const (
	C2CResendWindow   = 120 * time.Second
	GroupResendWindow = 5 * time.Minute
)

// DefaultAdmin is the app administrator where Options names none.
const DefaultAdmin tim.UserID = "administrator"

// Options are the settings of a sandbox. SDKAppID and Key are required, the
// zero value of everything else is its default.
type Options struct {
	// SDKAppID is the application that the sandbox serves; a client of another
	// one is refused.
	SDKAppID uint32
	// Key is the secret key that UserSigs are checked with.
	Key string
	// Delivery is DeliveryAck by default.
	Delivery Delivery
	// Accounts, when not nil, is the closed list of the accounts that exist.
	// Nil: whoever signs in or is written to exists.
	Accounts []tim.UserID
	// Admins are the app administrators, who may do in every group what only
	// they may do at Tencent: invite into a Public group, dismiss a Private
	// one. Nil means DefaultAdmin.
	Admins []tim.UserID
	// AskInvitees are accounts that no member brings into a group: they are
	// asked (InviteReqToInvitee), and decide with HandleRequest. The service's
	// tables have such requests, and do not say whom it makes them to. Where
	// owner and admins decide on what a member asks for, they decide alone.
	AskInvitees []tim.UserID
	// Limits bound rates, sizes and what is kept.
	Limits Limits
	// Now is the clock; nil means time.Now. After moving it, a test calls
	// [Sandbox.Tick].
	Now func() time.Time
	// MediaDir is where the files that were sent are kept; "" means the folder
	// "media" in the sandbox's own directory. It belongs to one sandbox.
	MediaDir string
	// Logger gets what an operator should know, and never what was said. Nil
	// logs nothing.
	Logger hclog.Logger
	// Journal are the settings of the log on disk.
	Journal journal.Options
}

// Limits bound rates, sizes and what is kept. Of every field 0 means the
// default and a negative value no limit.
type Limits struct {
	// GroupMessages is how many messages a second one group takes, whoever
	// sends them, in bursts of a second's worth; beyond it a send ends with
	// 10023. Of a second's worth those of low priority leave a quarter to the
	// others, and those of the lowest a half. Default 40.
	GroupMessages int
	// Sends is how many messages a second one account may send; beyond it a
	// send ends with 7008. Default none.
	Sends int
	// Calls is how many calls a second of one kind one account may make;
	// beyond it the call ends with 7008. Default none.
	Calls int
	// GroupMembers is the most members a group can have, unless it is of a type
	// with a bound of its own or none. Default 2000.
	GroupMembers int
	// CommunityMembers is the same for a Community. Default 100,000.
	CommunityMembers int
	// Groups is how many groups there may be that were not dismissed; beyond
	// it creating one ends with 10058. Default none.
	Groups int
	// AVChatRooms is how many of them may be AVChatRooms; beyond it creating
	// one ends with 10036. Default none.
	AVChatRooms int
	// JoinedGroups is how many groups an account may be in. Default none.
	JoinedGroups int
	// RevokeWindow is how long a message can be recalled. Default 120 s.
	RevokeWindow time.Duration
	// HistoryMessages is how many messages are kept for reading back, in all
	// conversations together; the oldest go first. A conversation always keeps
	// its last one. Default 200,000.
	HistoryMessages int
	// HistoryBytes bounds the same by the length of what was said. Default 64 MiB.
	HistoryBytes int64
	// HistoryTime bounds the same by age. Default 7 days.
	HistoryTime time.Duration
	// Reports is how many reports are kept for one account that is offline or
	// does not acknowledge; the oldest go first. Default 500,000.
	Reports int
	// ReportTime bounds the same by age. Default 7 days.
	ReportTime time.Duration
	// MediaBytes is the longest file that is taken, whatever it is sent as;
	// images have a limit of 28 MB and all others one of 100 MB besides. Beyond
	// it a send ends with 7005. Default 32 MiB.
	MediaBytes int64
	// MediaTotalBytes is how much all files may take together; beyond it a
	// send with a file ends with 6008. Default 4 GiB.
	MediaTotalBytes int64
	// MediaTime is how long a file is kept at least that no message uses (any
	// more). Default 24 h; without a limit they are kept for ever.
	MediaTime time.Duration
	// SnapshotBytes is how much is written to the journal between two
	// snapshots; without a limit none is made by itself. Default 64 MiB.
	SnapshotBytes int64
}

// orDefault makes 0 the default and a negative value "no limit", which is 0.
func orDefault[T int | int64 | time.Duration](v *T, def T) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0:
		*v = 0
	}
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.GroupMessages, 40)
	orDefault(&l.Sends, 0)
	orDefault(&l.Calls, 0)
	orDefault(&l.GroupMembers, 2000)
	orDefault(&l.CommunityMembers, 100_000)
	orDefault(&l.Groups, 0)
	orDefault(&l.AVChatRooms, 0)
	orDefault(&l.JoinedGroups, 0)
	orDefault(&l.RevokeWindow, 120*time.Second)
	orDefault(&l.HistoryMessages, 200_000)
	orDefault(&l.HistoryBytes, 64<<20)
	orDefault(&l.HistoryTime, 7*24*time.Hour)
	orDefault(&l.Reports, 500_000)
	orDefault(&l.ReportTime, 7*24*time.Hour)
	orDefault(&l.MediaBytes, 32<<20)
	orDefault(&l.MediaTotalBytes, 4<<30)
	orDefault(&l.MediaTime, 24*time.Hour)
	orDefault(&l.SnapshotBytes, 64<<20)
	return l
}

func (o Options) withDefaults() (Options, error) {
	if o.SDKAppID == 0 {
		return o, fmt.Errorf("sandbox: Options.SDKAppID is required")
	}
	if o.Key == "" {
		return o, fmt.Errorf("sandbox: Options.Key is required")
	}
	switch o.Delivery {
	case "":
		o.Delivery = DeliveryAck
	case DeliveryAck, DeliveryPush:
	default:
		return o, fmt.Errorf("sandbox: Options.Delivery is %q; it can be %q or %q", o.Delivery, DeliveryAck, DeliveryPush)
	}
	for _, user := range slices.Concat(o.Accounts, o.Admins, o.AskInvitees) {
		if !validUser(user) {
			return o, fmt.Errorf("sandbox: %q is not a user id: 1 to %d bytes of printable ASCII, and not the service's own", user, maxUserBytes)
		}
	}
	if o.Admins == nil {
		o.Admins = []tim.UserID{DefaultAdmin}
	}
	o.Limits = o.Limits.withDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	return o, nil
}
