package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// happened is what the facts but those of messages have to tell.
type happened struct {
	Operator     string                 `json:"operator"`
	GroupName    string                 `json:"group_name"`
	UserID       string                 `json:"user_id"`
	UserIDs      []string               `json:"user_ids"`
	JoinType     string                 `json:"join_type"`
	Reason       string                 `json:"reason"`
	Members      []mapping.MemberChange `json:"members"`
	Changes      []mapping.GroupChange  `json:"changes"`
	MessageID    string                 `json:"message_id"`
	Message      string                 `json:"message"`
	UserData     string                 `json:"user_data"`
	Request      string                 `json:"request"`
	Accepted     bool                   `json:"accepted"`
	Reader       string                 `json:"reader"`
	ReadUntil    int64                  `json:"read_until"`
	ReadCount    uint64                 `json:"read_count"`
	UnreadCount  uint64                 `json:"unread_count"`
	NickName     string                 `json:"nick_name"`
	Signature    string                 `json:"signature"`
	Status       string                 `json:"status"`
	CustomStatus string                 `json:"custom_status"`
	Text         string                 `json:"text"`
	Via          string                 `json:"via"`
	Name         string                 `json:"name"`
	From         time.Time              `json:"from"`
	Covers       []string               `json:"covers"`
	To           time.Time              `json:"to"`
}

// factText is what a fact says in the words of its family; false where there
// are none for it.
func factText(name string, data []byte) (string, bool) {
	var h happened
	if json.Unmarshal(data, &h) != nil {
		return "", false
	}
	switch family, _, _ := strings.Cut(name, "."); family {
	case "group":
		text, ok := h.groupText(name)
		if h.Via != "" { // one occurrence may be told several ways
			text = strings.TrimSpace(text + " (" + h.Via + ")")
		}
		return text, ok
	case "account":
		return h.accountText(name)
	}
	switch name {
	case "message.revoked":
		return "recalled " + h.MessageID, true
	case "message.read":
		return h.readText(), true
	case "user.status_changed":
		return h.UserID + " is " + h.Status + about(h.CustomStatus), true
	case "user.profile_changed":
		return strings.TrimSpace(h.UserID + " is " + cmp.Or(h.NickName, "without a name") + about(h.Signature)), true
	case "bridge.event_refused":
		return h.Reason, true
	case "im.unrecognized":
		return h.Name, true
	case "bridge.journal_damaged":
		var lost struct{ First, Last uint64 }
		if json.Unmarshal(data, &lost) != nil {
			return "", false
		}
		return fmt.Sprintf("lost positions %d to %d", lost.First, lost.Last), true
	case "bridge.commands_lost":
		var lost struct {
			Target string
			Count  uint64
		}
		if json.Unmarshal(data, &lost) != nil {
			return "", false
		}
		return fmt.Sprintf("%d removed from %s before they were read: %s", lost.Count, lost.Target, h.Reason), true
	}
	return "", false
}

// about is what follows a colon, if anything does.
func about(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

func (h happened) readText() string {
	switch {
	case h.ReadUntil > 0:
		return h.Reader + " has read up to " + time.Unix(h.ReadUntil, 0).Format(time.TimeOnly)
	case h.Reader != "":
		return h.Reader + " has read it"
	}
	return fmt.Sprintf("read by %d of %d", h.ReadCount, h.ReadCount+h.UnreadCount)
}

func (h happened) groupText(name string) (string, bool) {
	users := strings.Join(h.UserIDs, ", ")
	switch name {
	case "group.created":
		return fmt.Sprintf("%s made %q", h.Operator, h.GroupName), true
	case "group.member_joined":
		if h.JoinType == "invited" && h.Operator != "" {
			return users + ", invited by " + h.Operator, true
		}
		return users, true
	case "group.member_left":
		return users, true
	case "group.member_kicked":
		return users + ", removed by " + h.Operator, true
	case "group.member_changed":
		var parts []string
		for _, m := range h.Members {
			parts = append(parts, memberChange(m))
		}
		return strings.Join(parts, ", "), true
	case "group.info_changed":
		var parts []string
		for _, c := range h.Changes {
			parts = append(parts, groupChange(c))
		}
		return cmp.Or(h.Operator, "somebody") + " changed " + strings.Join(parts, ", "), true
	case "group.dismissed":
		return strings.TrimSpace(h.Reason + " " + h.Operator), true
	case "group.join_requested":
		if h.Request == "join" || users == "" {
			return h.Operator + " asks to join" + about(h.Message), true
		}
		return h.Operator + " asks to invite " + users + about(h.Message), true
	case "group.invited":
		return h.Operator + " invites " + users + about(h.Message), true
	case "group.custom_notified":
		return cmp.Or(h.Operator, "the application") + about(h.UserData), true
	case "group.request_handled":
		done := " refused "
		if h.Accepted {
			done = " let in "
		}
		return h.Operator + done + users + about(h.Message), true
	}
	return "", false
}

// tipPart is a group tip as an element of an event, in the words of [tipText];
// only its type where it cannot be read.
func tipPart(el mapping.Element) string {
	var tip tim.GroupTipsElem
	if json.Unmarshal(el.Raw, &tip) != nil {
		return bracketed(el.Type)
	}
	return bracketed(el.Type, tipText(tip, func(u tim.UserID) string { return string(u) }))
}

// memberChange is what changed of a member.
func memberChange(m mapping.MemberChange) string {
	parts := []string{string(m.UserID)}
	if m.Role != "" {
		parts = append(parts, m.Role)
	}
	if m.MutedSeconds != nil && *m.MutedSeconds == 0 {
		parts = append(parts, "may write again")
	} else if m.MutedSeconds != nil {
		parts = append(parts, "muted for "+cmp.Or(duration(*m.MutedSeconds), "good"))
	}
	if m.NameCard != nil {
		parts = append(parts, fmt.Sprintf("is called %q", *m.NameCard))
	}
	if m.Banned != nil && *m.Banned {
		parts = append(parts, "banned")
	}
	return strings.Join(parts, " ")
}

// groupChange is what changed of a group.
func groupChange(c mapping.GroupChange) string {
	field := strings.TrimSpace(c.Field + " " + c.Key)
	switch {
	case c.Value != nil:
		return fmt.Sprintf("%s %q", field, *c.Value)
	case c.Enabled != nil && *c.Enabled:
		return field + " on"
	case c.Enabled != nil:
		return field + " off"
	case c.Number != nil:
		return fmt.Sprintf("%s %d", field, *c.Number)
	}
	return field
}

func (h happened) accountText(name string) (string, bool) {
	switch name {
	case "account.signed_in", "account.kicked_offline", "account.usersig_expired":
		return "", true
	case "account.signed_out":
		return h.Reason, true
	case "account.connection_changed":
		return strings.TrimSpace(h.Status + " " + h.Text), true
	case "account.gap_detected":
		if len(h.Covers) > 0 {
			return fmt.Sprintf("some of what is no message may be missing from %s to %s: %s", h.From.Format(time.RFC3339), h.To.Format(time.RFC3339), h.Reason), true
		}
		return fmt.Sprintf("nothing can be read back from %s to %s: %s", h.From.Format(time.RFC3339), h.To.Format(time.RFC3339), h.Reason), true
	}
	return "", false
}
