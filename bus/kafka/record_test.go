package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/segmentio/kafka-go/compress"

	"github.com/timbridge/timbridge/bus"
)

// zeros reads as so many zeros.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// packedBatch is a batch of records, whose bytes are given, as any producer may
// make it: lastDelta and count are as said, the records as they are.
func packedBatch(t testing.TB, codec compress.Compression, last, count int, records io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	b.Write(make([]byte, batchHeader))
	if codec == compress.None {
		if _, err := io.Copy(&b, records); err != nil {
			t.Fatal(err)
		}
	} else {
		w := codec.Codec().NewWriter(&b)
		_, err := io.Copy(struct{ io.Writer }{w}, records)
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return sealed(b.Bytes(), int16(codec), last, count)
}

// sealed fills in the header of a batch.
func sealed(b []byte, attributes int16, last, count int) []byte {
	order := binary.BigEndian
	order.PutUint32(b[atLength:], uint32(len(b)-12))
	b[atMagic] = 2
	order.PutUint16(b[atAttributes:], uint16(attributes))
	order.PutUint32(b[atLastDelta:], uint32(last))
	order.PutUint64(b[atFirstTime:], 1762344000123)
	order.PutUint64(b[atMaxTime:], 1762344000123)
	order.PutUint64(b[atProducer:], ^uint64(0))
	order.PutUint16(b[51:], 0xffff)
	order.PutUint32(b[53:], 0xffffffff)
	order.PutUint32(b[atCount:], uint32(count))
	order.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli))
	return b
}

// recordBytes is a record with a value.
func recordBytes(delta int, value string) []byte {
	m := message{key: []byte("k"), value: []byte(value)}
	b := binary.AppendVarint(nil, int64(recordSize(&m, delta)))
	b = append(b, 0, 0)
	b = binary.AppendVarint(b, int64(delta))
	b = appendBytes(appendBytes(b, m.key), m.value)
	return binary.AppendVarint(b, 0)
}

// longRecord is a record whose value is so many zeros, with one header.
func longRecord(delta int, n int64) io.Reader {
	var head []byte
	head = append(head, 0, 0)
	head = binary.AppendVarint(head, int64(delta))
	head = appendBytes(head, []byte("account/bot"))
	head = binary.AppendVarint(head, n)
	tail := binary.AppendVarint(nil, 1)
	tail = appendBytes(appendBytes(tail, []byte("n")), []byte("v"))
	size := binary.AppendVarint(nil, int64(len(head))+n+int64(len(tail)))
	return io.MultiReader(bytes.NewReader(size), bytes.NewReader(head), zeros(n), bytes.NewReader(tail))
}

// storedAt gives a batch the offset that it is stored at.
func storedAt(b []byte, offset int64) []byte {
	out := bytes.Clone(b)
	binary.BigEndian.PutUint64(out, uint64(offset))
	return out
}

// allocated is what do allocates, whether or not it keeps it.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A record that is too long comes as its beginning, with its size and hash,
// whatever it takes unpacked, and takes no memory for it; those around it come whole.
func TestLongRecord(t *testing.T) {
	const n = 300 << 20
	for codec := compress.None; codec <= compress.Zstd; codec++ {
		n := int64(n)
		switch codec {
		case compress.None, compress.Snappy: // which do not make it small
			n = 8 << 20
		}
		t.Run(codec.String(), func(t *testing.T) {
			b := packedBatch(t, codec, 2, 3, io.MultiReader(bytes.NewReader(recordBytes(0, "a")), longRecord(1, n), bytes.NewReader(recordBytes(2, "c"))))
			var got []record
			took := allocated(func() {
				f := fetched{records: storedAt(b, 10), limit: 1 << 20}
				next, err := f.each(10, true, func(r record) bool {
					got = append(got, r.own())
					return true
				})
				if err != nil || next != 13 {
					t.Errorf("on at %d: %v", next, err)
				}
			})
			if len(got) != 3 || string(got[0].value) != "a" || string(got[2].value) != "c" || got[2].offset != 12 {
				t.Fatalf("read %d: %+v", len(got), got)
			}
			long := got[1]
			if long.whole == nil || long.whole.size < n || long.whole.size > n+64 || len(long.whole.digest) != 64 || long.offset != 11 ||
				string(long.key) != "account/bot" || len(long.value) == 0 || len(long.value) > keptOfLong {
				t.Errorf("offset %d, %+v, key %q, %d bytes are kept", long.offset, long.whole, long.key, len(long.value))
			}
			if most := uint64(64<<20 + len(b)); took > most {
				t.Errorf("%d MiB were allocated for it", took>>20)
			}
			var again record
			f := fetched{records: storedAt(b, 10), limit: 1 << 20}
			if _, err := f.each(11, false, func(r record) bool { again = r; return false }); err != nil || again.digest("x") != long.digest("x") {
				t.Errorf("read again it is %+v: %v", again.whole, err)
			}
		})
	}
}

// What cannot be read of a batch comes as one that is bad, after what could be,
// and what lies behind the batch is read.
func TestBatchThatCannotBeRead(t *testing.T) {
	good := recordBytes(0, "a")
	header := make([]byte, batchHeader)
	packedGood := packedBatch(t, compress.Zstd, 0, 1, bytes.NewReader(good))[batchHeader:]
	zipped := packedBatch(t, compress.Gzip, 2, 3, bytes.NewReader(good))
	raw := func(codec int16, body ...byte) []byte {
		return sealed(append(bytes.Clone(header), body...), codec, 2, 3)
	}
	// A frame of zstd that may look back on 2 GiB, and holds nothing.
	greedy := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00}
	for name, c := range map[string]struct {
		batch []byte
		whole int // records that can be read
		limit bool
	}{
		"a codec that nobody knows":            {raw(7, good...), 0, false},
		"what is no zstd":                      {raw(4, []byte("no zstd")...), 0, false},
		"zstd that is broken off":              {raw(4, packedGood[:len(packedGood)-4]...), 0, false},
		"zstd that looks back too far":         {raw(4, greedy...), 0, false},
		"what is no gzip":                      {raw(1, []byte("no gzip")...), 0, false},
		"gzip that is broken off":              {sealed(bytes.Clone(zipped[:len(zipped)-9]), 1, 2, 3), 1, false},
		"what is no lz4":                       {raw(3, []byte("no lz4 at all")...), 0, false},
		"snappy that promises 4 GiB":           {raw(2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0), 0, false},
		"snappy in frames that promise 4 GiB":  {raw(2, append(append(bytes.Clone(xerial), 0, 0, 0, 1, 0, 0, 0, 1), 0xff, 0xff, 0xff, 0xff, 0)...), 0, false},
		"fewer records than it says":           {packedBatch(t, compress.None, 2, 3, bytes.NewReader(good)), 1, false},
		"a record that leads past others":      {packedBatch(t, compress.None, 2, 2, io.MultiReader(bytes.NewReader(good), bytes.NewReader(recordBytes(1<<30, "b")))), 1, false},
		"a record that leads back":             {packedBatch(t, compress.None, 2, 2, io.MultiReader(bytes.NewReader(good), bytes.NewReader(recordBytes(0, "b")))), 1, false},
		"a record of a negative length":        {packedBatch(t, compress.None, 2, 2, io.MultiReader(bytes.NewReader(good), strings.NewReader("\x01"))), 1, false},
		"a record that claims to be very long": {packedBatch(t, compress.Zstd, 2, 2, io.MultiReader(bytes.NewReader(good), bytes.NewReader(binary.AppendVarint(nil, 1<<40)))), 1, false},
		"more than may be unpacked":            {packedBatch(t, compress.Zstd, 2, 2, io.MultiReader(bytes.NewReader(good), longRecord(1, maxUnpacked))), 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			behind := packedBatch(t, compress.None, 0, 1, bytes.NewReader(recordBytes(0, "z")))
			f := fetched{records: append(storedAt(c.batch, 10), storedAt(behind, 13)...), limit: 1 << 20}
			var got []record
			took := allocated(func() {
				next, err := f.each(10, true, func(r record) bool {
					got = append(got, r.own())
					return true
				})
				if err != nil || next != 14 {
					t.Errorf("on at %d: %v", next, err)
				}
			})
			if took > 64<<20 {
				t.Errorf("%d MiB were allocated for it", took>>20)
			}
			if len(got) != c.whole+2 || string(got[len(got)-1].value) != "z" {
				t.Fatalf("read %d: %+v", len(got), got)
			}
			bad := got[c.whole]
			if bad.bad == nil || bad.offset != 12 || len(bad.value) == 0 || bad.time.IsZero() || errors.Is(bad.bad, bus.ErrLimit) != c.limit {
				t.Errorf("instead of what cannot be read: %+v", bad)
			}
		})
	}
}

// A batch that is not as it was written is an error, and says how far it goes
// where that can be believed.
func TestDamagedBatch(t *testing.T) {
	whole := storedAt(packedBatch(t, compress.None, 2, 3, io.MultiReader(bytes.NewReader(recordBytes(0, "a")), bytes.NewReader(recordBytes(1, "b")), bytes.NewReader(recordBytes(2, "c")))), 10)
	for name, c := range map[string]struct {
		damage func(b []byte) []byte
		last   int64
	}{
		"a byte that fell over":        {func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, 12},
		"an end that nobody believes":  {func(b []byte) []byte { b[atLastDelta] ^= 0x40; return b }, 10},
		"an end before its beginning":  {func(b []byte) []byte { b[atLastDelta] ^= 0x80; return b }, 10},
		"a size that is none":          {func(b []byte) []byte { binary.BigEndian.PutUint32(b[atLength:], 3); return b }, 12},
		"a size of more than there is": {func(b []byte) []byte { binary.BigEndian.PutUint32(b[atLength:], 1<<20); return b }, 12},
		"a format of long ago":         {func(b []byte) []byte { b[atMagic] = 1; return b }, 10},
		"not even a header":            {func(b []byte) []byte { return b[:20] }, 10},
		"an end before it, that is sealed": {func(b []byte) []byte {
			return storedAt(sealed(b, 0, -3, 3), 10)
		}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			f := fetched{records: c.damage(bytes.Clone(whole)), highWatermark: 20}
			next, err := f.each(10, true, func(r record) bool { t.Errorf("read %+v", r); return true })
			var d *damageError
			if !errors.As(err, &d) || next != 10 || d.last != c.last || !errors.Is(err, errMalformed) || len(d.stored) == 0 {
				t.Errorf("on at %d: %v (%+v)", next, err, d)
			}
		})
	}
}

// A partition goes on behind a batch that stays damaged, after it was fetched
// again, and says what it passed.
func TestDamagedBatchIsPassed(t *testing.T) {
	log := &lines{}
	b := &Bus{log: hclog.New(&hclog.LoggerOptions{Output: log}), cfg: Config{MaxCommandBytes: 1 << 10}}
	r := &reader{b: b, topic: "tim.commands", out: newPrefetched(), next: 10, limit: 4 << 10}
	whole := storedAt(packedBatch(t, compress.None, 2, 3, io.MultiReader(bytes.NewReader(recordBytes(0, "a")), bytes.NewReader(recordBytes(1, "b")), bytes.NewReader(recordBytes(2, "c")))), 10)
	whole[len(whole)-1] ^= 1
	f := &fetched{records: whole, highWatermark: 20}
	for n := 1; n < damaged; n++ {
		if err := r.take(t.Context(), f); err == nil || r.next != 10 || len(r.out.items) != 0 {
			t.Fatalf("fetched %d times: %v, on at %d", n, err, r.next)
		}
	}
	if err := r.take(t.Context(), f); err != nil || r.next != 13 || r.pos.Offset != 13 || len(r.out.items) != 1 {
		t.Fatalf("%v, on at %d, %d items", err, r.next, len(r.out.items))
	}
	it := <-r.out.items
	r.out.took(&it)
	got := b.received(&it, true)
	if !errors.Is(got.Err, bus.ErrNotCloudEvent) || got.Offset != 13 || got.Event != nil || !strings.Contains(got.Err.Error(), "checksum") {
		t.Errorf("received %+v", got)
	}
	if o, err := bus.DecodeOriginal(got.Original); err != nil || !bytes.Equal(o.Value, whole) {
		t.Errorf("the original is %+v, %v", o, err)
	}
	if n := log.count("what is stored cannot be read"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
}

// What waits to be taken is bounded in bytes; what is larger than that comes alone.
func TestPrefetchedIsBounded(t *testing.T) {
	p, r := newPrefetched(), &reader{}
	put := func(patience time.Duration, it item) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		r.waiting.Add(1)
		it.r = r
		return p.put(ctx, it)
	}
	sized := func(n int) item { return item{record: record{value: make([]byte, n)}} }
	const fit = prefetchBytes>>20 - 1 // with what each takes beside its bytes
	for n := range fit {
		if err := put(time.Minute, sized(1<<20)); err != nil {
			t.Fatalf("item %d: %v", n, err)
		}
	}
	if err := put(time.Millisecond, sized(1<<20)); err == nil || r.waiting.Load() != fit {
		t.Errorf("another fits: %v; %d are said to wait", err, r.waiting.Load())
	}
	for range fit {
		it := <-p.items
		p.took(&it)
	}
	if err := put(time.Minute, sized(2*prefetchBytes)); err != nil {
		t.Errorf("one that is larger than the bound: %v", err)
	}
	if put(time.Millisecond, sized(1)) == nil {
		t.Error("another fits beside it")
	}
}

// TestLongCommand: a command of hundreds of megabytes, which a producer can put
// into a few kilobytes, is refused in its place; those behind it come.
func TestLongCommand(t *testing.T) { both(t, longCommand) }

func longCommand(t *testing.T, p broker) {
	const n = 300 << 20
	b := mustOpen(t, testConfig(t, p.addr()))
	at := publishCommands(t, b, 0, 1)[0]
	_, partition, _ := splitTarget(at.Target)
	publishRaw(t, b, partition, packedBatch(t, compress.Zstd, 0, 1, longRecord(0, n)))
	publishCommands(t, b, 1, 3)
	r := commandsOf(t, b)
	got := receive(t, r, 5)
	for i, want := range []string{"c-0", "", "c-1", "c-2", "c-3"} {
		switch m := got[i]; {
		case want != "" && (m.Event == nil || m.Event.ID() != want):
			t.Errorf("%d is %+v, not %s", i, m, want)
		case want == "" && (!errors.Is(m.Err, bus.ErrLimit) || m.Event != nil || m.Cut == nil || m.Cut.Size < n || len(m.Cut.SHA256) != 64 || len(m.Original) > 512<<10):
			t.Errorf("the long one is %v, cut %+v, %d bytes of it", m.Err, m.Cut, len(m.Original))
		}
	}
	// Reading goes on after it as after any other.
	if ids, resets := readIDs(t, commandsOf(t, b, got[1].Position), 3); fmt.Sprint(ids) != "[c-1 c-2 c-3]" || len(resets) != 0 {
		t.Errorf("after it: %v, resets %+v", ids, resets)
	}
	if err := b.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

// TestCommandsThatCannotBeRead: a batch that nobody can unpack is refused, and
// does not hold up what lies behind it. (A real broker unpacks what it stores
// here, and refuses it itself.)
func TestCommandsThatCannotBeRead(t *testing.T) {
	b := mustOpen(t, testConfig(t, newFake(t).addr()))
	at := publishCommands(t, b, 0, 1)[0]
	_, partition, _ := splitTarget(at.Target)
	publishRaw(t, b, partition, sealed(append(make([]byte, batchHeader), "no zstd"...), 4, 4, 5))
	publishCommands(t, b, 1, 1)
	got := receive(t, commandsOf(t, b), 3)
	if m := got[1]; !errors.Is(m.Err, bus.ErrNotCloudEvent) || m.Offset != 6 || m.Digest == "" {
		t.Errorf("received %+v", m)
	}
	if got[2].Event == nil || got[2].Event.ID() != "c-1" {
		t.Errorf("behind it comes %+v", got[2])
	}
	if ids, resets := readIDs(t, commandsOf(t, b, got[1].Position), 1); fmt.Sprint(ids) != "[c-1]" || len(resets) != 0 {
		t.Errorf("after it: %v, resets %+v", ids, resets)
	}
}

// receive takes so many commands.
func receive(t testing.TB, r bus.CommandReader, n int) (got []bus.Received) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for len(got) < n {
		more, err := r.Next(ctx, n-len(got))
		if err != nil {
			t.Fatalf("after %d: %v", len(got), err)
		}
		got = append(got, more...)
	}
	return got
}

// publishRaw stores a batch as it is.
func publishRaw(t testing.TB, b *Bus, partition int, batch []byte) {
	t.Helper()
	it := &parcel{topic: b.cfg.Commands.Name, partition: partition, batch: batch, done: make(chan struct{})}
	if b.produce(t.Context(), it); it.err != nil {
		t.Fatal(it.err)
	}
}

// Whatever a producer puts into a batch ends in records and in errors, in their
// order, and never in a panic.
func FuzzRecords(f *testing.F) {
	for codec := compress.None; codec <= compress.Zstd; codec++ {
		b := packedBatch(f, codec, 2, 3, io.MultiReader(bytes.NewReader(recordBytes(0, "a")), longRecord(1, 10_000), bytes.NewReader(recordBytes(2, "c"))))
		f.Add(int16(codec), int32(2), int32(3), b[batchHeader:])
	}
	f.Fuzz(func(t *testing.T, codec int16, last, count int32, body []byte) {
		b := storedAt(sealed(append(make([]byte, batchHeader), body...), codec&^attrControl, int(last), int(count)), 5)
		got := fetched{records: b, limit: 1 << 10, highWatermark: 1 << 40}
		at := int64(4)
		next, err := got.each(5, true, func(r record) bool {
			if r.offset <= at {
				t.Fatalf("%d comes after %d", r.offset, at)
			}
			at = r.offset
			if r := r.own(); r.bad == nil && r.whole == nil && r.size() > 1<<10 {
				t.Fatalf("%d bytes are held", r.size())
			}
			return true
		})
		switch {
		case err == nil && (last < 0 || next != 6+int64(last)):
			t.Fatalf("on at %d after %d", next, last)
		case err != nil && next > 5:
			t.Fatalf("on at %d: %v", next, err)
		}
	})
}
