package tim_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

func BenchmarkMessage(b *testing.B) {
	in := []byte(`{"message_elem_array":[{"elem_type":0,"text_elem_content":"hello, 你好, how are you today?"}],"message_conv_id":"user2","message_conv_type":1,"message_sender":"user1","message_client_time":1551080111,"message_server_time":1551080111,"message_is_from_self":true,"message_status":2,"message_msg_id":"144115200000000001-1551080111-2130485001","message_rand":2130485001,"message_seq":1,"message_cloud_custom_str":"{\"trace\":1}"}`)
	var msg tim.Message
	if err := json.Unmarshal(in, &msg); err != nil {
		b.Fatal(err)
	}
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var m tim.Message
			if err := json.Unmarshal(in, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(msg); err != nil {
				b.Fatal(err)
			}
		}
	})
	// Deep nesting must not cost more than size times the depth that is decoded.
	b.Run("deep", func(b *testing.B) {
		layers := 2400
		open := `{"message_elem_array":[{"elem_type":12,"merge_elem_message_array":[`
		deep := []byte(strings.Repeat(open, layers) + `{"message_elem_array":[]}` + strings.Repeat(`]}]}`, layers))
		b.SetBytes(int64(len(deep)))
		for b.Loop() {
			var m tim.Message
			if err := json.Unmarshal(deep, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
