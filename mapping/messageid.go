package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

// Parts of ids. None of them can come out of an escaped id, which has no "/".
const (
	revokedSuffix = "/revoked"
	modifiedInfix = "/modified/"
	tipInfix      = "/tip/"
	tippedInfix   = "/tipped/"
	reportInfix   = "/report/"
	handledSuffix = "/handled"
	onlineInfix   = "/online/"
)

// MessageID is the id of the message.posted event of a message, the same
// whoever reports it: its conversation's subject, then of a one-to-one message
// sequence, random and server time ("c2c/alice/bob/7/12345/1700000000"), of a
// group message the sequence ("group/team/45"), and of a message of a group
// that was stored nowhere sender, random and time
// ("group/team/online/alice/12345/1700000000").
//
// account is the account that has the message. The id is empty when the
// message belongs to no conversation between users.
func MessageID(account tim.UserID, m tim.Message) string {
	switch m.ConvType {
	case tim.ConvC2C:
		a, b := c2cUsers(account, m.Sender, m.ConvID)
		if a == "" || b == "" {
			return ""
		}
		return c2cMessageID(a, b, m.Seq, m.Rand, m.ServerTime)
	case tim.ConvGroup:
		if m.ConvID == "" {
			return ""
		}
		if m.Seq != 0 {
			return groupMessageID(m.ConvID, m.Seq)
		}
		buf := make([]byte, 0, len(m.ConvID)+len(m.Sender)+64)
		buf = append(buf, subjectGroup...)
		buf = appendEscaped(buf, m.ConvID)
		buf = append(buf, onlineInfix...)
		buf = appendEscaped(buf, string(m.Sender))
		return string(appendNumbers(buf, m.Rand, m.ServerTime))
	}
	return ""
}

// c2cUsers names the two of a one-to-one talk: the other user as the account
// sees it, and the account itself; or the sender, where a report came by way
// of an account that takes no part in the talk.
func c2cUsers(account, sender tim.UserID, peer string) (a, b string) {
	if sender == "" || string(sender) == peer {
		return string(account), peer
	}
	return string(sender), peer
}

func c2cMessageID(a, b string, seq, random, at uint64) string {
	buf := make([]byte, 0, len(subjectC2C)+len(a)+len(b)+48)
	return string(appendNumbers(appendC2CSubject(buf, a, b), seq, random, at))
}

func groupMessageID(group string, seq uint64) string {
	buf := make([]byte, 0, len(subjectGroup)+len(group)+24)
	buf = append(buf, subjectGroup...)
	return string(appendNumbers(appendEscaped(buf, group), seq))
}

func appendNumbers(buf []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		buf = append(buf, '/')
		buf = strconv.AppendUint(buf, n, 10)
	}
	return buf
}

func tipID(messageID string, n int) string {
	return messageID + tipInfix + strconv.Itoa(n)
}

// reportID is the id of what a group report tells. Reports of one occurrence
// have the same sequence and random for everybody told of it; one that
// concerns its receiver alone is told apart by the receiver.
func reportID(account tim.UserID, m tim.Message, r tim.GroupReportElem, n int) string {
	buf := make([]byte, 0, len(r.GroupID)+len(account)+64)
	buf = append(buf, subjectGroup...)
	buf = appendEscaped(buf, string(r.GroupID))
	buf = append(buf, reportInfix[:len(reportInfix)-1]...)
	buf = appendNumbers(buf, m.Seq, m.Rand, m.ServerTime, uint64(n))
	if reportIsPersonal(r.ReportType) {
		buf = append(buf, '/')
		buf = appendEscaped(buf, string(account))
	}
	return string(buf)
}

// strangeMessageID is the id of a message that belongs nowhere: it is known
// by its content.
func strangeMessageID(account tim.UserID, m tim.Message) string {
	raw, err := json.Marshal(m)
	if err != nil {
		raw = fmt.Appendf(nil, "%+v", m)
	}
	return AccountSubject(account) + "/message/" + shortHash(raw)
}

// shortHash is 128 bits of the SHA-256 of its parts, each preceded by its length, in hex.
func shortHash(parts ...[]byte) string {
	sum := hashParts(parts...)
	return hex.EncodeToString(sum[:16])
}

func hashParts(parts ...[]byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, p := range parts {
		var n [20]byte
		h.Write(append(strconv.AppendInt(n[:0], int64(len(p)), 10), ':'))
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

// ParsedMessageID is what the id of a message.posted event says.
type ParsedMessageID struct {
	// Users are the two of a one-to-one talk, sorted; both empty for a group.
	Users [2]tim.UserID
	// Group is the group's id; empty for a one-to-one talk.
	Group tim.GroupID
	// Seq names a group's message. A one-to-one message is named by Seq, Rand
	// and Time (server time, seconds) together; one of a group that was stored
	// nowhere by Sender, Rand and Time, with Seq 0.
	Seq, Rand, Time uint64
	Sender          tim.UserID
}

// ParseMessageID reads an id that [MessageID] made.
func ParseMessageID(id string) (ParsedMessageID, error) {
	bad := func(why string) (ParsedMessageID, error) {
		return ParsedMessageID{}, fmt.Errorf("%q is not the id of a message: %s", id, why)
	}
	words := strings.Split(id, "/")
	var p ParsedMessageID
	switch {
	case words[0] == "c2c" && len(words) == 6:
		s, err := ParseSubject(strings.Join(words[:3], "/"))
		if err != nil {
			return bad(err.Error())
		}
		p.Users = s.Users
		if !parseNumbers(words[3:], &p.Seq, &p.Rand, &p.Time) {
			return bad("sequence, random and time must be numbers")
		}
		return p, nil
	case words[0] == "group" && (len(words) == 3 || len(words) == 6 && words[2] == "online"):
		g, err := UnescapeID(words[1])
		if err != nil {
			return bad(err.Error())
		}
		p.Group = tim.GroupID(g)
		if len(words) == 3 {
			if !parseNumbers(words[2:], &p.Seq) || p.Seq == 0 {
				return bad("a sequence is a number from 1")
			}
			return p, nil
		}
		sender, err := UnescapeID(words[3])
		if err != nil {
			return bad(err.Error())
		}
		p.Sender = tim.UserID(sender)
		if !parseNumbers(words[4:], &p.Rand, &p.Time) {
			return bad("random and time must be numbers")
		}
		return p, nil
	}
	return bad("it must be c2c/<user>/<user>/<sequence>/<random>/<time> or group/<group>/<sequence>")
}

func parseNumbers(words []string, into ...*uint64) bool {
	for i, p := range into {
		n, err := strconv.ParseUint(words[i], 10, 64)
		if err != nil || strconv.FormatUint(n, 10) != words[i] {
			return false
		}
		*p = n
	}
	return true
}

// parseGroupMessageID reads "group/<group>/<sequence>" without the cost of the general case.
func parseGroupMessageID(id string) (tim.GroupID, uint64, bool) {
	rest, ok := strings.CutPrefix(id, subjectGroup)
	if !ok {
		return "", 0, false
	}
	word, number, ok := strings.Cut(rest, "/")
	if !ok {
		return "", 0, false
	}
	seq, err := strconv.ParseUint(number, 10, 64)
	if err != nil || seq == 0 {
		return "", 0, false
	}
	group, err := UnescapeID(word)
	if err != nil {
		return "", 0, false
	}
	return tim.GroupID(group), seq, true
}
