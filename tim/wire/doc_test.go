package wire

import (
	"os"
	"strings"
	"testing"
)

func protocol(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestProtocolExamples reads the frames in PROTOCOL.md as the code does.
func TestProtocolExamples(t *testing.T) {
	seen := make(map[string]bool)
	for i, block := range strings.Split(protocol(t), "```json\n") {
		if i == 0 {
			continue
		}
		line, _, _ := strings.Cut(block, "\n")
		f, err := parseFrame([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		seen[f.kind] = true
		switch f.kind {
		case kindHello:
			if _, no := parseHello([]byte(line)); no != nil {
				t.Errorf("%s: %s", line, no.Desc)
			}
		case kindWelcome:
			if _, err := parseWelcome([]byte(line)); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		case kindReport:
			if e := decodeEvent(f.event); e.Callback() != "TIMRecvNewMsgCallback" {
				t.Errorf("%s: %#v", line, e)
			}
		case kindRequest:
			if _, _, err := parseSendBody(f.body); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	for _, kind := range []string{
		kindHello, kindWelcome, kindRefused, kindRequest, kindReply, kindPart, kindCancel, kindReport, kindAck, kindPing, kindBye,
	} {
		if !seen[kind] {
			t.Errorf("no example of %s", kind)
		}
	}
}
