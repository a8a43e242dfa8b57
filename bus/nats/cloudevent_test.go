package nats

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/format"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"

	"github.com/timbridge/timbridge/bus"
)

// message is a NATS message in the SDK's eyes, as a protocol binding over the
// SDK would write it: what the SDK reads out of our headers is what we meant.
type message struct {
	header nats.Header
	data   []byte
}

var specs = spec.WithPrefix(attributePrefix)

func (m *message) ReadEncoding() binding.Encoding {
	switch {
	case strings.HasPrefix(m.header.Get(contentType), bus.StructuredJSON):
		return binding.EncodingStructured
	case m.header.Get(attributePrefix+"specversion") != "":
		return binding.EncodingBinary
	}
	return binding.EncodingUnknown
}

func (m *message) ReadStructured(ctx context.Context, w binding.StructuredWriter) error {
	if m.ReadEncoding() != binding.EncodingStructured {
		return binding.ErrNotStructured
	}
	return w.SetStructuredEvent(ctx, format.JSON, bytes.NewReader(m.data))
}

func (m *message) ReadBinary(ctx context.Context, w binding.BinaryWriter) error {
	version := specs.Version(m.header.Get(attributePrefix + "specversion"))
	if err := w.Start(ctx); err != nil {
		return err
	}
	for name, values := range m.header {
		value, err := percentDecode(values[0])
		if err != nil {
			return err
		}
		switch attribute := version.Attribute(name); {
		case attribute != nil:
			err = w.SetAttribute(attribute, value)
		case name == contentType:
			err = w.SetAttribute(version.AttributeFromKind(spec.DataContentType), values[0])
		case strings.HasPrefix(name, attributePrefix):
			err = w.SetExtension(strings.TrimPrefix(name, attributePrefix), value)
		}
		if err != nil {
			return err
		}
	}
	if len(m.data) > 0 {
		if err := w.SetData(bytes.NewBuffer(m.data)); err != nil {
			return err
		}
	}
	return w.End(ctx)
}

func (m *message) Finish(error) error { return nil }

func (m *message) GetAttribute(k spec.Kind) (spec.Attribute, any) {
	attribute := specs.Version(m.header.Get(attributePrefix + "specversion")).AttributeFromKind(k)
	name := attribute.PrefixedName()
	if k == spec.DataContentType {
		name = contentType
	}
	if v, ok := m.header[name]; ok {
		return attribute, v[0]
	}
	return attribute, nil
}

func (m *message) GetExtension(name string) any {
	if v, ok := m.header[attributePrefix+name]; ok {
		return v[0]
	}
	return nil
}

var _ binding.Message = (*message)(nil)

func awkward() map[string]*event.Event {
	plain := testEvent("io.timbridge.message.posted.v1", "c2c/alice/bob", "alice")
	_ = plain.SetData(event.ApplicationJSON, map[string]any{"text": "你好"})
	odd := testEvent("t", "汉 字/\"%\x01\x7f", "ü")
	odd.SetID(" 1 ")
	odd.SetExtension("quoted", `"in quotes"`)
	odd.SetExtension("empty", "")
	odd.SetDataSchema("https://example.com/%20?q=%22")
	_ = odd.SetData("image/png", []byte{0xff, 0, '\r', '\n'})
	return map[string]*event.Event{"plain": plain, "odd": odd, "bare": testEvent("t", "", "")}
}

// TestHeadersAgainstSDK: the SDK reads the event out of what we write by hand,
// in both modes.
func TestHeadersAgainstSDK(t *testing.T) {
	for name, e := range awkward() {
		for _, structured := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				enc := encoder{structured: structured}
				h, data, err := enc.encode(e)
				if err != nil {
					t.Fatal(err)
				}
				for name, values := range h {
					for _, c := range []byte(values[0]) {
						if c < ' ' || c > '~' {
							t.Errorf("header %s has the byte %#x: %q", name, c, values[0])
						}
					}
				}
				got, err := binding.ToEvent(t.Context(), &message{h, data})
				if err != nil {
					t.Fatal(err)
				}
				same(t, e, got)
				if got, err = decode(h, data); err != nil {
					t.Fatal(err)
				}
				same(t, e, got)
			})
		}
	}
}

func same(t *testing.T, want, got *event.Event) {
	t.Helper()
	if want.ID() != got.ID() || want.Source() != got.Source() || want.Type() != got.Type() || want.Subject() != got.Subject() ||
		want.DataContentType() != got.DataContentType() || want.DataSchema() != got.DataSchema() || !bytes.Equal(want.Data(), got.Data()) ||
		!maps.Equal(want.Extensions(), got.Extensions()) {
		t.Errorf("came back as\n%s, was\n%s", got, want)
	}
}

// TestReadOtherClients: what other clients and languages write.
func TestReadOtherClients(t *testing.T) {
	base := nats.Header{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/x"}, "ce-type": {"t"}}
	with := func(name, value string) nats.Header {
		h := maps.Clone(base)
		h[name] = []string{value}
		return h
	}
	for name, c := range map[string]struct {
		header nats.Header
		data   string
		check  func(*event.Event) bool
	}{
		"names in other case": {nats.Header{"Ce-Specversion": {"1.0"}, "CE-ID": {"1"}, "ce-Source": {"/x"}, "Ce-Type": {"t"}, "Content-Type": {"text/plain"}}, "x",
			func(e *event.Event) bool { return e.ID() == "1" && e.DataContentType() == "text/plain" }},
		"the SDK's own protocol": {with("ce-datacontenttype", "text/plain"), "x", func(e *event.Event) bool { return e.DataContentType() == "text/plain" }},
		"both content types": {func() nats.Header {
			h := with("ce-datacontenttype", "text/plain")
			h[contentType] = []string{"text/xml"}
			return h
		}(), "x", func(e *event.Event) bool { return e.DataContentType() == "text/xml" }},
		"not percent-encoded":    {with("ce-subject", "汉字"), "", func(e *event.Event) bool { return e.Subject() == "汉字" }},
		"percent-encoded":        {with("ce-subject", "%E6%B1%89 x%22"), "", func(e *event.Event) bool { return e.Subject() == "汉 x\"" }},
		"a quoted string":        {with("ce-subject", `"a \"b\" c"`), "", func(e *event.Event) bool { return e.Subject() == `a "b" c` }},
		"structured, no headers": {nil, `{"specversion":"1.0","id":"1","source":"/x","type":"t"}`, func(e *event.Event) bool { return e.Type() == "t" }},
		"structured wins":        {with(contentType, "application/cloudevents+json"), `{"specversion":"1.0","id":"2","source":"/x","type":"t"}`, func(e *event.Event) bool { return e.ID() == "2" }},
		"other headers":          {with("Nats-Msg-Id", "7"), "", func(e *event.Event) bool { return len(e.Extensions()) == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := decode(c.header, []byte(c.data))
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(e) {
				t.Errorf("read as %s", e)
			}
		})
	}
}

func TestReadBrokenPercent(t *testing.T) {
	_, err := decode(nats.Header{"ce-specversion": {"1.0"}, "ce-id": {"%zz"}, "ce-source": {"/x"}, "ce-type": {"t"}}, nil)
	if !errors.Is(err, bus.ErrNotCloudEvent) || !strings.Contains(err.Error(), "ce-id") {
		t.Errorf("error %v", err)
	}
}

// TestEncodeReuse: nothing of one event is left in the next.
func TestEncodeReuse(t *testing.T) {
	var enc encoder
	events := awkward()
	first, _, err := enc.encode(events["odd"])
	if err != nil {
		t.Fatal(err)
	}
	enc.set("Nats-Msg-Id", "x")
	if len(first) < 8 {
		t.Fatalf("headers %v", first)
	}
	second, _, err := enc.encode(events["bare"])
	if err != nil {
		t.Fatal(err)
	}
	if len(second) != 4 {
		t.Errorf("headers %v", second)
	}
}

func TestHeaderSize(t *testing.T) {
	var enc encoder
	for name, e := range awkward() {
		h, _, err := enc.encode(e)
		if err != nil {
			t.Fatal(err)
		}
		m := nats.NewMsg("x")
		m.Header = h
		// Msg.Size counts the subject and data too.
		if got, want := headerSize(h), m.Size()-len(m.Subject); got < want {
			t.Errorf("%s: headers of %d bytes are counted as %d", name, want, got)
		}
	}
}

// TestHeaderBound: the bound holds, and does not refuse to say one of what we
// publish.
func TestHeaderBound(t *testing.T) {
	events := awkward()
	for i, source := range []string{"tim://1400000000", "https://u:p@h/ü?q=é#ß", "urn:a:b", "//h", "/%20 x"} {
		e := testEvent("t", strings.Repeat("ü", i*10), "alice")
		e.SetSource(source)
		e.SetDataSchema("https://example.com/" + strings.Repeat("ü", i))
		e.SetTime(time.Date(2026, 1, 2, 3, 4, 5, 999999999, time.FixedZone("", 3600)))
		events[source] = e
	}
	events["journal"] = newJournal(t).messages(1, bus.Events, 10)[0].Event
	var enc encoder
	for name, e := range events {
		h, _, err := enc.encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if bound, ok := headerBound(e); !ok || bound < headerSize(h) {
			t.Errorf("%s: headers of %d bytes are bounded by %d (%v)", name, headerSize(h), bound, ok)
		}
	}
	numbered := testEvent("t", "", "")
	numbered.SetExtension("n", 7)
	if _, ok := headerBound(numbered); ok {
		t.Error("an attribute that is no text is bounded")
	}
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add("ce-id: 1\r\nce-specversion: 1.0\r\nce-source: /x\r\nce-type: t\r\n", []byte(`{}`))
	f.Add("ce-id: \"a\\\r\ncontent-type: application/cloudevents+json\r\n", []byte(`{"specversion":"1.0"}`))
	f.Fuzz(func(t *testing.T, head string, data []byte) {
		h, err := nats.DecodeHeadersMsg([]byte(natsLine + head + "\r\n"))
		if err != nil {
			return
		}
		o := original("tim.commands.bot.message.send", h, data)
		back, err := bus.DecodeOriginal(bus.EncodeOriginal(o))
		if err != nil || bus.Digest(&back) != bus.Digest(&o) {
			t.Fatalf("the original does not come back: %v", err)
		}
		e, err := decode(h, data)
		if err != nil {
			if !errors.Is(err, bus.ErrNotCloudEvent) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		owner(h)
		var enc encoder
		h2, data2, err := enc.encode(e)
		if err != nil {
			t.Fatalf("cannot be written again: %v", err)
		}
		if bound, ok := headerBound(e); ok && bound < headerSize(h2) {
			t.Fatalf("headers of %d bytes are bounded by %d", headerSize(h2), bound)
		}
		again, err := decode(h2, data2)
		if err != nil {
			t.Fatalf("cannot be read again from %v: %v", h2, err)
		}
		if again.ID() != e.ID() || again.Subject() != e.Subject() || !bytes.Equal(again.Data(), e.Data()) {
			t.Fatalf("%s came back as %s", e, again)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	j := newJournal(b)
	e := j.messages(1, bus.Events, 400)[0].Event
	var enc encoder
	b.ReportAllocs()
	for b.Loop() {
		h, data, err := enc.encode(e)
		if err != nil || len(h) == 0 {
			b.Fatal(err)
		}
		_, _ = io.Discard.Write(data)
	}
}

func BenchmarkDecode(b *testing.B) {
	j := newJournal(b)
	var enc encoder
	h, data, err := enc.encode(j.messages(1, bus.Events, 400)[0].Event)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(h, data); err != nil {
			b.Fatal(err)
		}
	}
}
