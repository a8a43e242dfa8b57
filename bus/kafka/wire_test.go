package kafka

import (
	"bytes"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/timbridge/timbridge/bus"
)

// A batch is byte for byte what kafka-go's own encoder writes, but for the stamp.
func TestBatchIsKafkaGos(t *testing.T) {
	at := time.UnixMilli(1762344000123)
	msgs := []message{
		{key: []byte("k"), value: []byte("v"), headers: []bus.Header{{Name: "a", Value: []byte("1")}, {Name: "b", Value: []byte{}}}},
		{value: bytes.Repeat([]byte("x"), 70000)},
		{key: []byte{}, headers: []bus.Header{{Name: "content-type", Value: []byte("text/plain")}}},
	}
	var w batchBuffer
	w.reset(at)
	var records []protocol.Record
	for i := range msgs {
		w.add(&msgs[i])
		r := protocol.Record{Time: at}
		if msgs[i].key != nil {
			r.Key = protocol.NewBytes(msgs[i].key)
		}
		if msgs[i].value != nil {
			r.Value = protocol.NewBytes(msgs[i].value)
		}
		for _, h := range msgs[i].headers {
			r.Headers = append(r.Headers, protocol.Header{Key: h.Name, Value: h.Value})
		}
		records = append(records, r)
	}
	if err := w.finish(stamp{}, compress.None); err != nil {
		t.Fatal(err)
	}
	var theirs bytes.Buffer
	set := protocol.RecordSet{Version: 2, Records: protocol.NewRecordReader(records...)}
	if _, err := set.WriteTo(&theirs); err != nil {
		t.Fatal(err)
	}
	if want := theirs.Bytes()[4:]; !bytes.Equal(w.b, want) { // behind its size
		t.Errorf("ours\n%x\ntheirs\n%x", w.b[:80], want[:80])
	}
}

// What is written is read again, whatever it is, by every codec.
func TestBatchComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 40, 200)
		var msgs []message
		for range rapid.IntRange(1, 20).Draw(t, "messages") {
			m := message{key: []byte(text.Draw(t, "key")), value: []byte(text.Draw(t, "value"))}
			for range rapid.IntRange(0, 4).Draw(t, "headers") {
				m.headers = append(m.headers, bus.Header{Name: text.Draw(t, "name"), Value: []byte(text.Draw(t, "header"))})
			}
			msgs = append(msgs, m)
		}
		codec := compress.Compression(rapid.IntRange(0, 4).Draw(t, "codec"))
		var w batchBuffer
		w.reset(time.UnixMilli(1762344000123))
		for i := range msgs {
			before := w.size()
			w.add(&msgs[i])
			if n := recordSize(&msgs[i], i); w.size()-before != n+varintSize(int64(n)) {
				t.Fatalf("a record of %d bytes was said to have %d", w.size()-before, n)
			}
		}
		if len(msgs) == 1 && w.size() != aloneSize(&msgs[0]) {
			t.Fatalf("a batch of %d bytes was said to have %d", w.size(), aloneSize(&msgs[0]))
		}
		if err := w.finish(stamp{producer: 7, epoch: 1, sequence: 5, set: true}, codec); err != nil {
			t.Fatal(err)
		}
		f := fetched{records: w.b}
		n := 0
		next, err := f.each(0, true, func(r record) bool {
			if !bytes.Equal(r.key, msgs[n].key) || !bytes.Equal(r.value, msgs[n].value) || len(r.headers) != len(msgs[n].headers) || r.offset != int64(n) {
				t.Fatalf("record %d is %+v, not %+v", n, r, msgs[n])
			}
			n++
			return true
		})
		if err != nil || n != len(msgs) || next != int64(n) {
			t.Fatalf("read %d of %d, on at %d: %v", n, len(msgs), next, err)
		}
	})
}

// What a broker says, however wrong, ends in an error and never in a panic.
func FuzzFetched(f *testing.F) {
	var w batchBuffer
	w.reset(time.UnixMilli(1))
	w.add(&message{key: []byte("k"), value: []byte("v"), headers: []bus.Header{{Name: "n", Value: []byte("v")}}})
	if err := w.finish(stamp{}, compress.None); err != nil {
		f.Fatal(err)
	}
	res := kmsg.NewPtrFetchResponse()
	res.Version = fetchVersion
	topic := kmsg.NewFetchResponseTopic()
	part := kmsg.NewFetchResponseTopicPartition()
	part.RecordBatches = w.b
	part.AbortedTransactions = append(part.AbortedTransactions, kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: 1})
	topic.Partitions = append(topic.Partitions, part)
	res.Topics = append(res.Topics, topic)
	f.Add(res.AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeFetch(b)
		if err != nil {
			return
		}
		for _, committed := range []bool{false, true} {
			last := int64(-1)
			_, _ = got.each(0, committed, func(r record) bool {
				last = max(last, r.offset)
				return len(r.headers) < 1000
			})
		}
	})
}

func FuzzMetadata(f *testing.F) {
	res := kmsg.NewPtrMetadataResponse()
	res.Version = metadataVersion
	name := "tim.events"
	topic := kmsg.NewMetadataResponseTopic()
	topic.Topic = &name
	part := kmsg.NewMetadataResponseTopicPartition()
	part.Replicas, part.ISR = []int32{1, 2}, []int32{1}
	topic.Partitions = append(topic.Partitions, part)
	res.Topics = append(res.Topics, topic)
	res.Brokers = append(res.Brokers, kmsg.MetadataResponseBroker{NodeID: 1, Host: "localhost", Port: 9092})
	body := res.AppendTo(nil)
	if got, err := decodeMetadata(body); err != nil || len(got) != 1 || got[0].name != name || got[0].partitions[0].replicas != 2 || got[0].partitions[0].inSync != 1 {
		f.Fatalf("read %+v, %v", got, err)
	}
	f.Add(body)
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = decodeMetadata(b) })
}

func FuzzProduced(f *testing.F) {
	res := kmsg.NewPtrProduceResponse()
	res.Version = produceVersion
	topic := kmsg.NewProduceResponseTopic()
	topic.Topic = "tim.events"
	part := kmsg.NewProduceResponseTopicPartition()
	part.Partition, part.BaseOffset, part.LogAppendTime = 1, 42, 1762344000123
	part.ErrorRecords = append(part.ErrorRecords, kmsg.ProduceResponseTopicPartitionErrorRecord{RelativeOffset: 1})
	refused := kmsg.NewProduceResponseTopicPartition()
	refused.Partition, refused.ErrorCode = 0, 45
	topic.Partitions = append(topic.Partitions, part, refused)
	res.Topics = append(res.Topics, topic)
	body := res.AppendTo(nil)
	parcels := func() []*parcel {
		return []*parcel{{topic: "tim.events"}, {topic: "tim.events", partition: 1}, {topic: "tim.outcomes"}}
	}
	got := parcels()
	if err := decodeProduce(body, got); err != nil || codeOf(got[0].err) != 45 || got[1].err != nil || got[1].base != 42 || got[1].at.UnixMilli() != 1762344000123 || got[2].err == nil {
		f.Fatalf("read %v, %+v, %+v, %+v", err, got[0], got[1], got[2])
	}
	f.Add(body)
	f.Fuzz(func(_ *testing.T, b []byte) { _ = decodeProduce(b, parcels()) })
}
