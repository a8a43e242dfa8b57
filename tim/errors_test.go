package tim_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

func TestEveryCodeOfTheSDKIsKnown(t *testing.T) {
	for _, line := range tsv(t, "testdata/error-codes.tsv") {
		n, err := strconv.Atoi(line[0])
		if err != nil {
			t.Fatal(err)
		}
		if c := tim.Code(n); c.Name() != line[1] || c.Text() == "" {
			t.Errorf("%s %s is known as %q with text %q", line[0], line[1], c.Name(), c.Text())
		}
	}
}

func TestCodes(t *testing.T) {
	tests := []struct {
		code      tim.Code
		retryable bool
		effect    tim.Effect
	}{
		{tim.CodeOK, false, tim.EffectDone},
		{tim.CodeSDKNotLoggedIn, false, tim.EffectNotDone},
		{tim.CodeSvrGroupNotFound, false, tim.EffectNotDone},
		{tim.CodeSvrGroupGroupIDInUsedForSuper, false, tim.EffectNotDone},
		{tim.CodeSvrGroupFreqLimit, true, tim.EffectNotDone},
		{tim.CodeSvrGroupInternalError, true, tim.EffectUnknown},
		{tim.CodeRequestTimeOut, true, tim.EffectUnknown},
		{tim.CodeSDKNetWaitAckTimeout, true, tim.EffectUnknown},
		{tim.CodeSDKNetWaitSendTimeout, true, tim.EffectNotDone},
		{tim.CodeSvrAccountUserSigExpired, false, tim.EffectNotDone},
		{tim.CodeSvrMsgNotFound, false, tim.EffectNotDone},
		{424242, false, tim.EffectUnknown}, // nobody knows it, so nobody knows what it did
	}
	for _, tt := range tests {
		t.Run(tt.code.String(), func(t *testing.T) {
			if got := tt.code.Retryable(); got != tt.retryable {
				t.Errorf("retryable is %v", got)
			}
			if got := tt.code.Effect(); got != tt.effect {
				t.Errorf("effect is %v", got)
			}
		})
	}
}

func TestError(t *testing.T) {
	cause := context.DeadlineExceeded
	tests := map[string]struct {
		err  *tim.Error
		want string
	}{
		"code":            {tim.NewError("send", tim.CodeSvrGroupNotFound, ""), "send: 10010 ERR_SVR_GROUP_NOT_FOUND: the group does not exist, or was dismissed"},
		"code and desc":   {tim.NewError("send", tim.CodeSvrGroupNotFound, "no such group"), "send: 10010 ERR_SVR_GROUP_NOT_FOUND: no such group"},
		"unknown code":    {tim.NewError("send", 424242, ""), "send: 424242"},
		"cause":           {&tim.Error{Op: "login", Err: cause}, "login: context deadline exceeded"},
		"nothing but one": {&tim.Error{Code: tim.CodeRequestTimeOut}, "im: 6012 ERR_REQUEST_TIME_OUT"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.want {
				t.Errorf("says %q, want %q", got, tt.want)
			}
		})
	}
	wrapped := fmt.Errorf("egress: %w", tests["cause"].err)
	if e, ok := tim.AsError(wrapped); !ok || e.Op != "login" || !errors.Is(wrapped, cause) {
		t.Error("the chain is broken")
	}
	if _, ok := tim.AsError(cause); ok || tim.CodeOf(cause) != tim.CodeOK {
		t.Error("found an error where there is none")
	}
}

// A value that is not known prints as what it is.
func TestEnumsPrint(t *testing.T) {
	tests := map[string]fmt.Stringer{
		"c2c": tim.ConvC2C, "ConvType(9)": tim.ConvType(9), "text": tim.ElemText, "invalid": tim.ElemInvalid, "ElemType(-7)": tim.ElemType(-7),
		"public": tim.GroupPublic, "private": tim.GroupPrivate, "avchatroom": tim.GroupAVChatRoom, "owner": tim.RoleOwner,
		"member": tim.RoleMember, "GroupMemberRole(7)": tim.GroupMemberRole(7), "failed": tim.MemberFailed, "sent": tim.MsgSendSucc,
		"connect_failed": tim.NetworkConnectFailed, "be_kicked": tim.GroupReportBeKicked, "ios": tim.PlatformIOS,
		"c2c/bob": tim.C2C("bob"), "group/g1": tim.Group("g1"), "not_done": tim.EffectNotDone,
	}
	for want, v := range tests {
		if got := v.String(); got != want {
			t.Errorf("%T prints as %q, want %q", v, got, want)
		}
	}
	word := regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)
	for i := range 25 {
		if got := tim.GroupReportType(i).String(); !word.MatchString(got) {
			t.Errorf("report type %d prints as %q", i, got)
		}
	}
}
