package main

import (
	"slices"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// The kinds of deeds.
const (
	deedPost    = "post"    // a message
	deedModify  = "modify"  // a message says something else now
	deedRevoke  = "revoke"  // a message was recalled
	deedRead    = "read"    // a talk was read up to a message
	deedReceipt = "receipt" // a message was said to be read
	deedTip     = "tip"     // something happened in a group
	deedReady   = "ready"   // the person's groups are there
)

// deed is one thing that somebody did in chat and was answered, as the
// sender's process tells it.
type deed struct {
	Kind string     `json:"kind"`
	By   tim.UserID `json:"by"`
	// Group is empty in the talk with the bridge.
	Group tim.GroupID `json:"group,omitempty"`
	To    tim.UserID  `json:"to,omitempty"` // in the talk with one of the bridge's accounts
	Began time.Time   `json:"began"`        // when it was first asked for
	At    time.Time   `json:"at"`           // when it was answered

	// ID is the id of the message's event; of a read mark that of its own; of
	// a receipt the service's id of the message.
	ID string `json:"id,omitempty"`
	// Mark names the message in its own words.
	Mark string `json:"mark,omitempty"`
	// Number counts the sender's messages in the conversation.
	Number int `json:"number,omitempty"`
	// Time is the service's time of the message, in seconds since 1970.
	Time uint64 `json:"time,omitempty"`
	// Said is what the message says from then on, an entry an element, and
	// Files are the SHA-256 sums of what is to be downloaded.
	Said  []string `json:"said,omitempty"`
	Files []string `json:"files,omitempty"`
	// Wants: read receipts of it are wanted.
	Wants   bool   `json:"wants,omitempty"`
	Version uint64 `json:"version,omitempty"` // of a modification

	// Fact is what the group's tip is to tell, as factsTold has it, and Report
	// that the bridge is told by a report, not by a tip.
	Fact   string `json:"fact,omitempty"`
	Report bool   `json:"report,omitempty"`
}

// The groups that people make. The bridge is in all of them; in the rooms it is
// by commands. What is said in the rooms is stored nowhere.
const (
	privateGroup   tim.GroupID = "private"
	publicGroup    tim.GroupID = "public"
	chatRoom       tim.GroupID = "chatroom"
	communityGroup tim.GroupID = "@TGS#_community"
	liveRoom       tim.GroupID = "room"
	broadcastRoom  tim.GroupID = "broadcast"
)

// rooms are those whose messages are stored nowhere.
var rooms = []tim.GroupID{liveRoom, broadcastRoom}

// isRoom says whether what is said in a group is stored nowhere.
func isRoom(group tim.GroupID) bool { return slices.Contains(rooms, group) }

// peoplesGroups are those that have a history.
var peoplesGroups = []tim.GroupID{privateGroup, publicGroup, chatRoom, communityGroup}
