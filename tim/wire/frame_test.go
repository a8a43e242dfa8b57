package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

func TestFramesRoundTrip(t *testing.T) {
	body := []byte(`{"a":"}\"{","b":[1,{"c":null}]}`)
	tests := []struct {
		name  string
		frame []byte
		want  frame
	}{
		{"request", appendRequest(nil, 7, opSend, 0, body), frame{kind: kindRequest, id: 7, op: opSend, body: body}},
		{"request with a timeout", appendRequest(nil, 7, opLogout, 1500, nil), frame{kind: kindRequest, id: 7, op: opLogout, timeoutMS: 1500}},
		{"reply", appendReply(nil, math.MaxUint64, body, nil), frame{kind: kindReply, id: math.MaxUint64, body: body}},
		{"reply without a body", appendReply(nil, 0, nil, nil), frame{kind: kindReply}},
		{"failed reply", appendReply(nil, 1, body, []byte(`{"code":1}`)), frame{kind: kindReply, id: 1, failure: []byte(`{"code":1}`)}},
		{"piece of a reply", appendPart(nil, 7, []byte("[1]")), frame{kind: kindPart, id: 7, data: "WzFd"}},
		{"reply in pieces", appendReplyInPieces(nil, 7, 3), frame{kind: kindReply, id: 7, bytes: 3}},
		{"cancel", appendCancel(nil, 9), frame{kind: kindCancel, id: 9}},
		{"report", appendReport(nil, 1, 2, "al\"ice\né", true, body), frame{kind: kindReport, n: 1, number: 2, account: "al\"ice\né", out: true, event: body}},
		{"ack", appendAck(nil, 5, nil), frame{kind: kindAck, upto: 5}},
		{"selective ack", appendAck(nil, 5, []span{{7, 9}, {11, 11}}), frame{kind: kindAck, upto: 5, also: []span{{7, 9}, {11, 11}}}},
		{"ping", appendPing(nil), frame{kind: kindPing}},
		{"bye", appendBye(nil), frame{kind: kindBye}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			line, ok := bytes.CutSuffix(test.frame, []byte{'\n'})
			if !ok || bytes.IndexByte(line, '\n') >= 0 || !json.Valid(line) {
				t.Fatalf("not one line of JSON: %q", test.frame)
			}
			got, err := parseFrame(line)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, %v", got, err)
			}
			// Another order of members and white space make no difference.
			var members map[string]json.RawMessage
			if err := json.Unmarshal(line, &members); err != nil {
				t.Fatal(err)
			}
			loose, err := json.MarshalIndent(members, "\t", " ")
			if err != nil {
				t.Fatal(err)
			}
			again, err := parseFrame(loose)
			again.body, again.event = compact(t, again.body), compact(t, again.event)
			again.failure = compact(t, again.failure)
			if err != nil || !reflect.DeepEqual(again, test.want) {
				t.Errorf("loose: got %+v, %v", again, err)
			}
		})
	}
}

func compact(t *testing.T, b []byte) []byte {
	t.Helper()
	if b == nil {
		return nil
	}
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestOneLine(t *testing.T) {
	got, err := oneLine([]byte("{\n\"a\": \"x\\n\"\n}"))
	if err != nil || string(got) != `{"a":"x\n"}` {
		t.Errorf("got %s, %v", got, err)
	}
}

// FuzzParseFrame: no line makes the parser fail otherwise than with errFrame,
// it agrees with encoding/json on what is valid, and on what is in it.
func FuzzParseFrame(f *testing.F) {
	for _, seed := range []string{
		`{"t":"req","id":1,"op":"send","timeout_ms":5,"body":{"conv_type":1,"conv_id":"b","message":{}}}`,
		`{"t":"res","id":1,"error":{"code":6,"effect":"done"}}`,
		`{"t":"report","n":1,"number":2,"account":"a","out":true,"event":{"callback":"x","args":{}}}`,
		`{"t":"ack","upto":5,"also":[[7,9],[11,11]]}`,
		`{"t":"pin\u0067","x":[{"}":"]"},-1.5e+9,null,"\\\""]}`,
		`{ "t" : "bye" , "t":"x" }`, `{}`, `{"t"`, `[]`, "\x00", `{"t":"x",}`, `{"t":"x"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got, err := parseFrame(line)
		if err != nil {
			if !errors.Is(err, errFrame) {
				t.Fatalf("%q: %v", line, err)
			}
			return
		}
		if got.kind == "" {
			t.Fatalf("%q: no kind", line)
		}
		var want struct {
			T    string          `json:"t"`
			ID   *uint64         `json:"id"`
			Op   string          `json:"op"`
			Body json.RawMessage `json:"body"`
		}
		// Go's decoder folds the case of keys and passes over null, and an
		// escaped key is another key here: compare where none of that matters.
		if bytes.ContainsAny(line, `\`) || bytes.Contains(line, []byte("null")) ||
			!bytes.Equal(bytes.ToLower(line), line) || !json.Valid(line) {
			return
		}
		if err := json.Unmarshal(line, &want); err != nil {
			return
		}
		if want.T != strings.ToValidUTF8(got.kind, "\ufffd") || want.ID != nil && *want.ID != got.id || want.Op != got.op || string(want.Body) != string(got.body) {
			t.Fatalf("%q: got %+v, want %+v", line, got, want)
		}
	})
}

// FuzzHandshake: hello, welcome, refusal and error are read without a panic.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte(`{"t":"hello","version":1,"session":"x","received":5,"sdkappid":1,"config":{},"max_message":4096,"heartbeat_ms":5000}`))
	f.Add([]byte(`{"t":"welcome","version":1,"session":"x","resend_window_ms":{"1":5},"max_message":4096,"max_in_flight":1,"max_unacked":1,"heartbeat_ms":1}`))
	f.Add([]byte(`{"t":"refused","code":"open_failed","desc":"x","version":1,"error":{"op":"open","code":6013,"effect":"not_done","retry_after_ms":5,"cause":"x","cause_kind":"deadline"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if h, no := parseHello(line); no == nil && (h.Version != Version || h.MaxMessage < minMaxMessage || h.HeartbeatMS <= 0) {
			t.Fatalf("took %+v", h)
		}
		if w, err := parseWelcome(line); err == nil && (w.Session == "" || w.MaxInFlight <= 0) {
			t.Fatalf("took %+v", w)
		}
		if err := parseRefused(line); err == nil {
			t.Fatal("a refusal is an error")
		}
		e, ok := tim.AsError(decodeFailure("x", line))
		if !ok || e.Error() == "" {
			t.Fatalf("not an error: %v", e)
		}
	})
}

// FuzzSendBody: the body of the hot path is read without a panic, and what is
// read means the same when it is written again.
func FuzzSendBody(f *testing.F) {
	f.Add([]byte(`{"conv_type":1,"conv_id":"bob","message":{"message_elem_array":[{"elem_type":0,"text_elem_content":"x"}]}}`))
	f.Add([]byte(`{"message":null}`))
	f.Add([]byte(`{"conv_type":300,"message":[}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		conv, msg, err := parseSendBody(body)
		if err != nil {
			return
		}
		raw, err := marshal(msg)
		if err != nil {
			return
		}
		again, _, err := parseSendBody(appendSendBody(nil, conv, raw))
		if err != nil || again != conv {
			t.Fatalf("%q: %v, then %v, %v", body, conv, again, err)
		}
	})
}
