package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/timbridge/timbridge/tim"
)

// The operations of a req frame.
const (
	opLogin         = "login"
	opRenewUserSig  = "renew_usersig"
	opLogout        = "logout"
	opSend          = "send"
	opRevoke        = "revoke"
	opCreateGroup   = "create_group"
	opInviteMembers = "invite_members"
	opDeleteMembers = "delete_members"
	opDeleteGroup   = "delete_group"
)

type loginBody struct {
	UserID  tim.UserID `json:"user_id"`
	UserSig string     `json:"user_sig"`
}

type renewBody struct {
	UserSig string `json:"user_sig"`
}

type revokeBody struct {
	tim.Conversation
	Locator json.RawMessage `json:"locator"`
}

type deleteGroupBody struct {
	GroupID tim.GroupID `json:"group_id"`
}

// appendSendBody appends the body of a send request, the one on the hot path.
func appendSendBody(dst []byte, conv tim.Conversation, message []byte) []byte {
	dst = append(dst, `{"conv_type":`...)
	dst = strconv.AppendUint(dst, uint64(conv.Type), 10)
	dst = append(dst, `,"conv_id":`...)
	dst = appendString(dst, conv.ID)
	dst = append(dst, `,"message":`...)
	dst = append(dst, message...)
	return append(dst, '}')
}

func parseSendBody(body []byte) (conv tim.Conversation, msg tim.Message, err error) {
	seen := false
	err = eachMember(body, func(key, value []byte) (err error) {
		switch string(key) {
		case "conv_type":
			var n uint64
			if n, err = uintOf(value); n <= 0xff {
				conv.Type = tim.ConvType(n)
			} else {
				err = fmt.Errorf("conv_type %d", n)
			}
		case "conv_id":
			conv.ID, err = stringOf(value)
		case "message":
			seen = true
			err = unmarshal(value, &msg)
		}
		return err
	})
	if err == nil && !seen {
		err = fmt.Errorf("no message")
	}
	return conv, msg, err
}

// perform carries a request out on the driver's client and gives the body of
// the answer.
func perform(ctx context.Context, client tim.Client, op string, body []byte) ([]byte, error) {
	switch op {
	case opLogin:
		var b loginBody
		if err := decode(op, body, &b); err != nil {
			return nil, err
		}
		return nil, client.Login(ctx, b.UserID, b.UserSig)
	case opRenewUserSig:
		var b renewBody
		if err := decode(op, body, &b); err != nil {
			return nil, err
		}
		return nil, client.RenewUserSig(ctx, b.UserSig)
	case opLogout:
		return nil, client.Logout(ctx)
	case opSend:
		conv, msg, err := parseSendBody(body)
		if err != nil {
			return nil, badBody(op, err)
		}
		sent, err := client.Send(ctx, conv, msg)
		return encode(op, sent, err)
	case opRevoke:
		var b revokeBody
		if err := decode(op, body, &b); err != nil {
			return nil, err
		}
		var locator tim.MsgLocator
		if err := decode(op, b.Locator, &locator); err != nil {
			return nil, err
		}
		return nil, client.Revoke(ctx, b.Conversation, locator)
	case opCreateGroup:
		var p tim.CreateGroupParam
		if err := decode(op, body, &p); err != nil {
			return nil, err
		}
		made, err := client.CreateGroup(ctx, p)
		return encode(op, made, err)
	case opInviteMembers:
		var p tim.GroupInviteMemberParam
		if err := decode(op, body, &p); err != nil {
			return nil, err
		}
		results, err := client.InviteMembers(ctx, p)
		return encode(op, results, err)
	case opDeleteMembers:
		var p tim.GroupDeleteMemberParam
		if err := decode(op, body, &p); err != nil {
			return nil, err
		}
		results, err := client.DeleteMembers(ctx, p)
		return encode(op, results, err)
	case opDeleteGroup:
		var b deleteGroupBody
		if err := decode(op, body, &b); err != nil {
			return nil, err
		}
		return nil, client.DeleteGroup(ctx, b.GroupID)
	}
	if o, ok := ops.byName[op]; ok {
		return o.perform(ctx, client, body)
	}
	return nil, notDone(op, tim.CodeSDKInterfaceNotSupport, ErrUnsupported)
}

func decode(op string, body []byte, into any) error {
	if err := unmarshal(body, into); err != nil {
		return badBody(op, err)
	}
	return nil
}

func badBody(op string, err error) error {
	return notDone(op, tim.CodeInvalidParameters, fmt.Errorf("decode the request: %w", err))
}

// encode makes the body of an answer. What was done stays done when its answer
// cannot be encoded.
func encode[T any](op string, result T, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	body, err := marshal(result)
	if err != nil {
		return nil, &tim.Error{
			Op: opName(op), Code: tim.CodeSDKInternalError, Effect: tim.EffectDone,
			Err: fmt.Errorf("encode the answer: %w", err),
		}
	}
	return body, nil
}
