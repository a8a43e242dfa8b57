package kafka

import (
	"slices"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
)

// An event is written as the CloudEvents Kafka binding says: attributes in
// UTF-8 as they are, datacontenttype as content-type, the data as the value.
func TestBinding(t *testing.T) {
	e := event.New()
	e.SetID("c2c/阿/bob/1")
	e.SetSource("tim://1400000000")
	e.SetType("io.timbridge.message.posted.v1")
	e.SetSubject("c2c/~E9~98~BF/bob")
	e.SetTime(time.Date(2026, 11, 5, 12, 0, 0, 5, time.UTC))
	e.SetExtension("partitionkey", "c2c/~E9~98~BF/bob")
	e.SetExtension("empty", "")
	if err := e.SetData(event.ApplicationJSON, []byte(`{"text":"你好"}`)); err != nil {
		t.Fatal(err)
	}
	var enc eventEncoder
	msg, err := enc.encode(&e)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range msg.headers {
		got = append(got, h.Name+": "+string(h.Value))
	}
	slices.Sort(got)
	want := []string{
		"ce_empty: ", "ce_id: c2c/阿/bob/1", "ce_partitionkey: c2c/~E9~98~BF/bob", "ce_source: tim://1400000000", "ce_specversion: 1.0",
		"ce_subject: c2c/~E9~98~BF/bob", "ce_time: 2026-11-05T12:00:00.000000005Z", "ce_type: io.timbridge.message.posted.v1",
		"content-type: application/json",
	}
	if !slices.Equal(got, want) || string(msg.value) != `{"text":"你好"}` || string(msg.key) != "c2c/~E9~98~BF/bob" {
		t.Errorf("headers\n%q, not\n%q; value %s, key %s", got, want, msg.value, msg.key)
	}

	enc.structured = true
	if msg, err = enc.encode(&e); err != nil {
		t.Fatal(err)
	}
	if len(msg.headers) != 1 || msg.headers[0].Name != "content-type" || string(msg.headers[0].Value) != bus.StructuredJSON {
		t.Errorf("structured headers %q", msg.headers)
	}
	back, err := decode(msg.headers, msg.value)
	if err != nil || back.ID() != e.ID() || string(back.Data()) != string(e.Data()) {
		t.Errorf("read back as %v, %v", back, err)
	}
}

// The key keeps together what belongs together.
func TestKey(t *testing.T) {
	for _, c := range []struct{ partitionKey, subject, account, want string }{
		{"p", "s", "a", "p"}, {"", "s", "a", "s"}, {"", "", "a", "account/a"}, {"", "", "", "id"},
	} {
		e := event.New()
		e.SetID("id")
		for name, v := range map[string]string{"partitionkey": c.partitionKey, "timaccount": c.account} {
			if v != "" {
				e.SetExtension(name, v)
			}
		}
		if c.subject != "" {
			e.SetSubject(c.subject)
		}
		if got := keyOf(&e); got != c.want {
			t.Errorf("key %q, not %q", got, c.want)
		}
	}
}
