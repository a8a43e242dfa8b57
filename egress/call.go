package egress

import (
	"context"
	"strings"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// unsupported says what a client lacks to carry out a command, nil when it has it.
func unsupported(client tim.Client, c *mapping.Command) *mapping.OutcomeError {
	able := true
	switch {
	case c.Modify != nil:
		_, able = client.(tim.Modifier)
	case c.MarkRead != nil, c.SendReadReceipt != nil:
		_, able = client.(tim.Reader)
	case c.ModifyGroup != nil, c.TransferGroup != nil, c.ModifyMember != nil, c.Join != nil, c.Quit != nil, c.HandleRequest != nil:
		_, able = client.(tim.Groups)
	case c.ModifyProfile != nil:
		_, able = client.(tim.Profiles)
	case c.SetStatus != nil:
		_, able = client.(tim.Presence)
	}
	if able {
		return nil
	}
	return &mapping.OutcomeError{Code: mapping.CodeUnsupported, Text: "the IM driver of this bridge cannot carry out " + c.Verb()}
}

// call makes the command's one call. The client can do it, see unsupported.
func (e *Egress) call(ctx context.Context, client tim.Client, it *item) (*verdict, error) {
	c := &it.cmd
	result := bareResult(c)
	var err error
	switch {
	case c.Send != nil:
		return e.callSend(ctx, client, it)
	case c.Revoke != nil:
		err = client.Revoke(ctx, c.Revoke.Conversation, c.Revoke.Message)
	case c.Modify != nil:
		m := c.Modify.Message
		m.ServerTime = 0 // with it the message was read, and is changed only while it has the version it had then
		m, err = client.(tim.Modifier).ModifyMessage(ctx, m)
		result.Version = m.Version
	case c.MarkRead != nil:
		err = client.(tim.Reader).MarkRead(ctx, c.MarkRead.Conversation, c.MarkRead.UpTo)
	case c.SendReadReceipt != nil:
		err = client.(tim.Reader).SendReadReceipts(ctx, c.SendReadReceipt.Messages)
	case c.CreateGroup != nil:
		var created tim.CreateGroupResult
		if created, err = client.CreateGroup(ctx, c.CreateGroup.Param); created.GroupID != "" {
			result.GroupID = created.GroupID
		}
	case c.ModifyGroup != nil:
		err = client.(tim.Groups).ModifyGroup(ctx, c.ModifyGroup.Param)
	case c.TransferGroup != nil:
		err = client.(tim.Groups).ModifyGroup(ctx, c.TransferGroup.Param)
	case c.Invite != nil:
		var members []tim.GroupInviteMemberResult
		members, err = client.InviteMembers(ctx, c.Invite.Param)
		result.Members = mapping.MemberResults(members)
		if err == nil {
			return ofUsers(it, result, "invite members", "none of the users could be brought in"), nil
		}
	case c.RemoveMember != nil:
		var members []tim.GroupDeleteMemberResult
		members, err = client.DeleteMembers(ctx, c.RemoveMember.Param)
		result.Members = mapping.RemovedResults(members)
		if err == nil {
			return ofUsers(it, result, "delete members", "none of the users could be removed"), nil
		}
	case c.ModifyMember != nil:
		err = client.(tim.Groups).ModifyMember(ctx, c.ModifyMember.Param)
	case c.Join != nil:
		groups := client.(tim.Groups)
		if err = groups.JoinGroup(ctx, c.Join.Group, c.Join.Hello); err == nil {
			result.Status = joinStatus(ctx, groups, c.Join.Group)
		}
	case c.Quit != nil:
		err = client.(tim.Groups).QuitGroup(ctx, c.Quit.Group)
	case c.HandleRequest != nil:
		err = handleRequest(ctx, client.(tim.Groups), c.HandleRequest)
	case c.Dismiss != nil:
		err = client.DeleteGroup(ctx, c.Dismiss.Group)
	case c.ModifyProfile != nil:
		err = client.(tim.Profiles).ModifyProfile(ctx, c.ModifyProfile.Item)
	case c.SetStatus != nil:
		err = client.(tim.Presence).SetStatus(ctx, c.SetStatus.Custom)
	}
	if err != nil {
		return nil, err
	}
	return &verdict{result: result}, nil
}

// ofUsers is how a call ends that was made for several users: well, as long as
// something was done for one of them, or there was nothing to do.
func ofUsers(it *item, result *mapping.Result, op, none string) *verdict {
	did, was := 0, 0
	var failed []string
	for _, m := range result.Members {
		switch m.Result {
		case mapping.MemberFailed:
			failed = append(failed, string(m.UserID))
		case mapping.MemberIncluded, mapping.MemberAbsent:
			was++
		default:
			did++
		}
	}
	v := &verdict{result: result}
	switch {
	case did == 0 && was == 0 && len(failed) > 0:
		v.err = mapping.ErrorOf(tim.NewError(op, tim.CodeNoSuccResult, none+": "+strings.Join(failed, ", ")))
	case did == 0 && len(failed) == 0:
		result.Already, result.Settled = true, it.doubt
	}
	return v
}

// joinStatus says whether an account is in the group that it has joined, or has
// only asked; empty where the service does not say.
func joinStatus(ctx context.Context, g tim.Groups, id tim.GroupID) string {
	in, err := joined(ctx, g, id)
	switch {
	case err != nil:
		return ""
	case in:
		return mapping.StatusJoined
	}
	return mapping.StatusRequested
}

func (e *Egress) callSend(ctx context.Context, client tim.Client, it *item) (*verdict, error) {
	m := it.cmd.Send.Message
	m.Rand = uint64(it.o.rand)
	if it.files != nil {
		m.Elems = it.files.elems
	}
	posted, err := client.Send(ctx, it.cmd.Conversation, m)
	if err != nil {
		return nil, err
	}
	return e.sent(client, it, posted, false), nil
}

// Bounds of the requests that are looked through for one.
const (
	requestPage  = 100
	requestPages = 20
)

// handleRequest decides on a request, which the service wants to be named as it
// named it. One that it does not list is named as the command does, and the
// service says what is wrong with it.
func handleRequest(ctx context.Context, g tim.Groups, h *mapping.HandleRequest) error {
	p, err := findRequest(ctx, g, h)
	if err != nil {
		return err
	}
	param := h.Param
	if p != nil {
		param.Pendency = *p
	}
	return g.HandleRequest(ctx, param)
}

// findRequest finds the request that a command decides on: one that is not
// decided yet rather than an older one that is; nil where there is none.
func findRequest(ctx context.Context, g tim.Groups, h *mapping.HandleRequest) (*tim.GroupPendency, error) {
	var decided *tim.GroupPendency
	option := tim.GroupPendencyOption{MaxLimited: requestPage}
	for range requestPages {
		page, err := g.Requests(ctx, option)
		if err != nil {
			return nil, err
		}
		for i := range page.Pendencies {
			p := &page.Pendencies[i]
			switch {
			case !h.Matches(*p):
			case p.Handled == tim.PendencyNotHandle:
				return p, nil
			case decided == nil:
				decided = p
			}
		}
		if page.NextStartTime == 0 || page.NextStartTime == option.StartTime || len(page.Pendencies) == 0 {
			break
		}
		option.StartTime = page.NextStartTime
	}
	return decided, nil
}

// bareResult is what can be said of a success from the command alone.
func bareResult(c *mapping.Command) *mapping.Result {
	switch {
	case c.Revoke != nil:
		return &mapping.Result{MessageID: c.Revoke.MessageID}
	case c.Modify != nil:
		return &mapping.Result{MessageID: c.Modify.MessageID}
	case c.MarkRead != nil:
		return &mapping.Result{MessageID: c.MarkRead.MessageID}
	case c.SendReadReceipt != nil:
		return &mapping.Result{MessageIDs: c.SendReadReceipt.MessageIDs}
	case c.CreateGroup != nil:
		return &mapping.Result{GroupID: c.CreateGroup.Param.GroupID}
	case c.ModifyGroup != nil:
		return &mapping.Result{GroupID: c.ModifyGroup.Param.GroupID}
	case c.TransferGroup != nil:
		return &mapping.Result{GroupID: c.TransferGroup.Param.GroupID}
	case c.Invite != nil:
		return &mapping.Result{GroupID: c.Invite.Param.GroupID}
	case c.RemoveMember != nil:
		return &mapping.Result{GroupID: c.RemoveMember.Param.GroupID}
	case c.ModifyMember != nil:
		return &mapping.Result{GroupID: c.ModifyMember.Param.GroupID}
	case c.Join != nil:
		return &mapping.Result{GroupID: c.Join.Group}
	case c.Quit != nil:
		return &mapping.Result{GroupID: c.Quit.Group}
	case c.HandleRequest != nil:
		return &mapping.Result{GroupID: c.HandleRequest.Param.Pendency.GroupID}
	case c.Dismiss != nil:
		return &mapping.Result{GroupID: c.Dismiss.Group}
	}
	return &mapping.Result{}
}

// sent is the success of a send, with the message as the service has it.
// settled says that it was found there instead of being answered.
func (e *Egress) sent(client tim.Client, it *item, m tim.Message, settled bool) *verdict {
	if m.ConvType == 0 {
		m.ConvType, m.ConvID = it.cmd.Conversation.Type, it.cmd.Conversation.ID
	}
	if m.Sender == "" {
		m.Sender = it.o.account
	}
	v := &verdict{posted: &m, result: &mapping.Result{
		MessageID: mapping.MessageID(it.o.account, m), MsgID: m.MsgID,
		Sequence: m.Seq, Random: m.Rand, ServerTime: m.ServerTime, Settled: settled,
	}}
	if _, ok := client.(tim.Resender); !ok || it.o.rand == 0 {
		v.claim = claimKey(it.o.account, m)
	}
	return v
}
