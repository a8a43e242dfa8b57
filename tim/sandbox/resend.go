package sandbox

import (
	"time"

	"github.com/timbridge/timbridge/tim"
)

// resendKey is what a message that is sent again has in common with the first.
type resendKey struct {
	conv   *conversation
	sender *account
	rand   uint64
}

// resend is what the first send came to.
type resend struct {
	seq  uint64
	time int64
}

// resends remembers the sends of the last minutes. Those of one-to-one talks
// and of groups end after different times, so each has its queue.
type resends struct {
	results map[resendKey]resend
	c2c     []resendKey // oldest first
	group   []resendKey
}

func resendWindow(typ tim.ConvType) time.Duration {
	switch typ {
	case tim.ConvC2C:
		return C2CResendWindow
	case tim.ConvGroup:
		return GroupResendWindow
	}
	return 0
}

// find gives the result of the same send, if it is not too long ago.
func (r *resends) find(key resendKey, now int64) (resend, bool) {
	v, ok := r.results[key]
	if !ok || now-v.time >= int64(resendWindow(key.conv.key.typ)) {
		return resend{}, false
	}
	return v, true
}

// add remembers a send and forgets those that are too long ago.
func (r *resends) add(key resendKey, m *message) {
	r.put(key, resend{m.seq, m.time})
	r.expire(m.time)
}

func (r *resends) put(key resendKey, v resend) {
	r.results[key] = v
	if key.conv.key.typ == tim.ConvC2C {
		r.c2c = append(r.c2c, key)
	} else {
		r.group = append(r.group, key)
	}
}

func (r *resends) expire(now int64) {
	r.c2c = r.expireQueue(r.c2c, now-int64(C2CResendWindow))
	r.group = r.expireQueue(r.group, now-int64(GroupResendWindow))
}

// expireQueue forgets the keys at the front whose time is up. A key that was
// used again after its time stands in the queue twice: only the later one counts.
func (r *resends) expireQueue(queue []resendKey, before int64) []resendKey {
	for len(queue) > 0 {
		v, ok := r.results[queue[0]]
		if ok && v.time > before {
			return queue
		}
		if ok {
			delete(r.results, queue[0])
		}
		queue[0] = resendKey{}
		queue = queue[1:]
	}
	return nil
}
