package tim_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/tim"
)

func ExampleMessage() {
	msg := tim.Message{Elems: []tim.Elem{
		tim.TextElem{Content: "your order is on its way"},
		tim.CustomElem{Data: `{"order":17}`, Desc: "order"},
	}}
	out, err := json.Marshal(msg)
	fmt.Println(string(out), err)
	// Output:
	// {"message_elem_array":[{"elem_type":0,"text_elem_content":"your order is on its way"},{"elem_type":3,"custom_elem_data":"{\"order\":17}","custom_elem_desc":"order"}]} <nil>
}

// Every element of every message is looked at; one that is not known still
// says everything it brought.
func ExampleElem() {
	var msg tim.Message
	if err := json.Unmarshal([]byte(`{"message_elem_array":[
		{"elem_type":0,"text_elem_content":"look"},
		{"elem_type":99,"new_elem_x":1}]}`), &msg); err != nil {
		fmt.Println(err)
		return
	}
	for _, elem := range msg.Elems {
		switch e := elem.(type) {
		case tim.TextElem:
			fmt.Println("text:", e.Content)
		case tim.UnknownElem:
			fmt.Printf("%v: %s\n", e.Type, e.Raw)
		}
	}
	// Output:
	// text: look
	// ElemType(99): {"elem_type":99,"new_elem_x":1}
}

func ExampleUnmarshalEvent() {
	e, err := tim.UnmarshalEvent([]byte(`{"callback":"TIMNetworkStatusListenerCallback","args":{"status":1,"code":9508,"desc":"gone"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	switch e := e.(type) {
	case tim.ConnectionChanged:
		fmt.Println(e.Status, e.Code, e.Desc)
	case tim.Unrecognized:
		fmt.Println(e.Name)
	}
	// Output:
	// disconnected 9508 ERR_SDK_NET_DISCONNECT gone
}

func ExampleAsError() {
	err := fmt.Errorf("greeting: %w", tim.NewError("send", tim.CodeSvrGroupSendMsgFreqLimit, ""))
	if e, ok := tim.AsError(err); ok {
		fmt.Println(e.Code, e.Retryable(), e.Effect)
	}
	fmt.Println(err)
	// Output:
	// 10023 ERR_SVR_GROUP_SEND_MSG_FREQ_LIMIT true not_done
	// greeting: send: 10023 ERR_SVR_GROUP_SEND_MSG_FREQ_LIMIT: more than 40 messages a second in the group
}

func ExampleSignUserSig() {
	now := time.Unix(1700000000, 0)
	sig := tim.SignUserSig(1400000000, "the application's key", "alice", 24*time.Hour, now)
	fmt.Println(tim.VerifyUserSig(1400000000, "the application's key", "alice", sig, now.Add(23*time.Hour)))
	fmt.Println(tim.VerifyUserSig(1400000000, "the application's key", "bob", sig, now))
	claims, err := tim.ParseUserSig(sig)
	fmt.Println(claims.User, claims.ExpiresAt().UTC(), err)
	// Output:
	// <nil>
	// verify UserSig: 70013 ERR_SVR_ACCOUNT_USERSIG_MISMATCH_ID: the UserSig is for user "alice", not "bob"
	// alice 2023-11-15 22:13:20 +0000 UTC <nil>
}
