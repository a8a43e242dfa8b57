package sandbox

import (
	"fmt"

	"github.com/timbridge/timbridge/tim"
)

// record is one thing that changed the service's state: an entry of its
// journal. It holds everything that was decided when it happened (times,
// randoms, ids), so that applying it again gives the same state.
type record interface {
	op() byte
	put(*encoder)
}

// recordVersion is the first byte of every entry.
const recordVersion = 1

const (
	opSend byte = iota + 1
	opRevoke
	opCreate
	opInvite
	opRemove
	opDismiss
	opLogin
	opLogout
	opKick
	opExpire
	opAck
)

// sendRecord is a message that was posted.
type sendRecord struct {
	conv     convKey
	sender   tim.UserID
	platform tim.Platform // the sender's; its other platforms are told
	time     int64        // nanoseconds since 1970
	rand     uint64
	// online is a message for those online only, and targets who that is.
	online  bool
	targets []target
	content []byte
	// flags are what the content says that is asked for often. Entries of
	// before there were any end with the content.
	flags uint8
}

// target is who an online-only message goes to.
type target struct {
	user      tim.UserID
	platforms uint16
}

// revokeRecord is a message that was recalled.
type revokeRecord struct {
	conv   convKey
	seq    uint64
	by     tim.UserID
	time   int64
	reason string
}

// createRecord is a group that was made.
type createRecord struct {
	group        tim.GroupID
	typ          tim.GroupType
	name         string
	introduction string
	notification string
	faceURL      string
	owner        tim.UserID
	most         int
	approve      tim.GroupAddOption
	members      []newMember // without the owner
	time         int64
	seed         uint64 // the randoms of what it makes the service say
	// The first version had no more.
	add      tim.GroupAddOption
	settings groupSettings
	custom   []field
}

type newMember struct {
	user tim.UserID
	role tim.GroupMemberRole
}

// inviteRecord are users who came into a group.
type inviteRecord struct {
	group    tim.GroupID
	by       tim.UserID
	users    []tim.UserID
	userData string
	time     int64
	seed     uint64
}

// removeRecord are members who were removed from a group.
type removeRecord struct {
	group  tim.GroupID
	by     tim.UserID
	users  []tim.UserID
	reason string
	time   int64
	seed   uint64
}

// dismissRecord is a group that was dismissed.
type dismissRecord struct {
	group tim.GroupID
	by    tim.UserID
	time  int64
	seed  uint64
}

// loginRecord is a device that signed in.
type loginRecord struct {
	user   tim.UserID
	device device
	time   int64
	// kicked are devices that were signed in on the platform and not in touch.
	kicked []device
}

// logoutRecord is a device that signed out, or was kicked while in touch.
type logoutRecord struct {
	user   tim.UserID
	device device
}

// kickRecord notes that a device was kicked while it was not in touch, or
// (clear) that it has been told.
type kickRecord struct {
	user   tim.UserID
	device device
	clear  bool
}

// expireRecord ends the UserSigs of an account that were issued before a second.
type expireRecord struct {
	user   tim.UserID
	before int64 // seconds since 1970
}

// ackRecord are reports that were acknowledged: runs of numbers by rising start.
type ackRecord struct {
	user     tim.UserID
	platform tim.Platform
	runs     []run
}

// run are numbers, both ends included.
type run struct{ first, last uint64 }

func (*sendRecord) op() byte    { return opSend }
func (*revokeRecord) op() byte  { return opRevoke }
func (*inviteRecord) op() byte  { return opInvite }
func (*removeRecord) op() byte  { return opRemove }
func (*dismissRecord) op() byte { return opDismiss }
func (*loginRecord) op() byte   { return opLogin }
func (*logoutRecord) op() byte  { return opLogout }
func (*kickRecord) op() byte    { return opKick }
func (*expireRecord) op() byte  { return opExpire }
func (*ackRecord) op() byte     { return opAck }

// encodeRecord gives the body of the record's entry.
func encodeRecord(r record) []byte {
	e := encoder{make([]byte, 0, 96)}
	if s, ok := r.(*sendRecord); ok {
		e.b = make([]byte, 0, 160+len(s.content))
	}
	e.b = append(e.b, recordVersion, r.op())
	r.put(&e)
	return e.b
}

// decodeRecord reads it back.
func decodeRecord(b []byte) (record, error) {
	if len(b) < 2 {
		return nil, errShort
	}
	if b[0] != recordVersion {
		return nil, fmt.Errorf("sandbox: entry of version %d, known is %d: written by a newer program", b[0], recordVersion)
	}
	d := &decoder{b: b[2:]}
	var r record
	switch b[1] {
	case opSend:
		r = getSend(d)
	case opRevoke:
		r = &revokeRecord{conv: getKey(d), seq: d.uint(), by: getString[tim.UserID](d), time: d.time(), reason: getString[string](d)}
	case opInvite:
		r = &inviteRecord{getString[tim.GroupID](d), getString[tim.UserID](d), getStrings[tim.UserID](d), getString[string](d), d.time(), d.uint()}
	case opRemove:
		r = &removeRecord{getString[tim.GroupID](d), getString[tim.UserID](d), getStrings[tim.UserID](d), getString[string](d), d.time(), d.uint()}
	case opDismiss:
		r = &dismissRecord{getString[tim.GroupID](d), getString[tim.UserID](d), d.time(), d.uint()}
	case opLogin:
		r = &loginRecord{getString[tim.UserID](d), getDevice(d), d.time(), getDevices(d)}
	case opLogout:
		r = &logoutRecord{getString[tim.UserID](d), getDevice(d)}
	case opKick:
		r = &kickRecord{getString[tim.UserID](d), getDevice(d), d.bool()}
	case opExpire:
		r = &expireRecord{getString[tim.UserID](d), d.time()}
	case opAck:
		a := &ackRecord{user: getString[tim.UserID](d), platform: getPlatform(d)}
		for range d.count() {
			a.runs = append(a.runs, run{d.uint(), d.uint()})
		}
		r = a
	default:
		if r = getGroupRecord(b[1], d); r == nil {
			r = getTalkRecord(b[1], d)
		}
		if r == nil {
			return nil, fmt.Errorf("sandbox: entry of unknown kind %d", b[1])
		}
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	return r, nil
}

func putKey(e *encoder, k convKey) {
	e.uint(uint64(k.typ))
	putString(e, k.a)
	putString(e, k.b)
}

func getKey(d *decoder) convKey {
	return convKey{tim.ConvType(d.uint()), getString[string](d), getString[string](d)}
}

func getPlatform(d *decoder) tim.Platform {
	p := d.uint()
	if p > maxPlatform {
		d.fail()
		return 0
	}
	return tim.Platform(p)
}

func putDevice(e *encoder, v device) {
	e.uint(uint64(v.Platform))
	putString(e, v.ID)
	e.bool(v.Any)
}

func getDevice(d *decoder) device {
	return device{getPlatform(d), getString[string](d), d.bool()}
}

func putDevices(e *encoder, v []device) {
	e.uint(uint64(len(v)))
	for _, x := range v {
		putDevice(e, x)
	}
}

func getDevices(d *decoder) []device {
	var v []device
	for range d.count() {
		v = append(v, getDevice(d))
	}
	return v
}

func (r *sendRecord) put(e *encoder) {
	putKey(e, r.conv)
	putString(e, r.sender)
	e.uint(uint64(r.platform))
	e.time(r.time)
	e.uint(r.rand)
	e.bool(r.online)
	e.uint(uint64(len(r.targets)))
	for _, t := range r.targets {
		putString(e, t.user)
		e.uint(uint64(t.platforms))
	}
	e.bytes(r.content)
	if r.flags != 0 {
		e.uint(uint64(r.flags))
	}
}

func getSend(d *decoder) *sendRecord {
	r := &sendRecord{
		conv: getKey(d), sender: getString[tim.UserID](d), platform: getPlatform(d),
		time: d.time(), rand: d.uint(), online: d.bool(),
	}
	for range d.count() {
		r.targets = append(r.targets, target{getString[tim.UserID](d), uint16(d.uint())})
	}
	r.content = d.bytes()
	if len(d.b) > 0 {
		r.flags = uint8(d.uint())
	}
	return r
}

func (r *revokeRecord) put(e *encoder) {
	putKey(e, r.conv)
	e.uint(r.seq)
	putString(e, r.by)
	e.time(r.time)
	putString(e, r.reason)
}

func (r *createRecord) put(e *encoder) {
	putString(e, r.group)
	e.uint(uint64(r.typ))
	for _, s := range []string{r.name, r.introduction, r.notification, r.faceURL, string(r.owner)} {
		putString(e, s)
	}
	e.uint(uint64(r.most))
	e.uint(uint64(r.approve))
	e.uint(uint64(len(r.members)))
	for _, m := range r.members {
		putString(e, m.user)
		e.uint(uint64(m.role))
	}
	e.time(r.time)
	e.uint(r.seed)
	e.uint(uint64(r.add))
	putSettings(e, r.settings)
	putFields(e, r.custom)
}

func getCreate(d *decoder) *createRecord {
	r := &createRecord{
		group: getString[tim.GroupID](d), typ: tim.GroupType(d.uint()),
		name: getString[string](d), introduction: getString[string](d), notification: getString[string](d),
		faceURL: getString[string](d), owner: getString[tim.UserID](d),
		most: int(d.uint()), approve: tim.GroupAddOption(d.uint()),
	}
	for range d.count() {
		r.members = append(r.members, newMember{getString[tim.UserID](d), tim.GroupMemberRole(d.uint())})
	}
	r.time, r.seed = d.time(), d.uint()
	return r
}

func (r *inviteRecord) put(e *encoder) {
	putMembership(e, r.group, r.by, r.users, r.userData, r.time, r.seed)
}
func (r *removeRecord) put(e *encoder) {
	putMembership(e, r.group, r.by, r.users, r.reason, r.time, r.seed)
}

func putMembership(e *encoder, g tim.GroupID, by tim.UserID, users []tim.UserID, text string, time int64, seed uint64) {
	putString(e, g)
	putString(e, by)
	putStrings(e, users)
	putString(e, text)
	e.time(time)
	e.uint(seed)
}

func (r *dismissRecord) put(e *encoder) {
	putString(e, r.group)
	putString(e, r.by)
	e.time(r.time)
	e.uint(r.seed)
}

func (r *loginRecord) put(e *encoder) {
	putString(e, r.user)
	putDevice(e, r.device)
	e.time(r.time)
	putDevices(e, r.kicked)
}

func (r *logoutRecord) put(e *encoder) { putString(e, r.user); putDevice(e, r.device) }

func (r *kickRecord) put(e *encoder) { putString(e, r.user); putDevice(e, r.device); e.bool(r.clear) }

func (r *expireRecord) put(e *encoder) { putString(e, r.user); e.time(r.before) }

func (r *ackRecord) put(e *encoder) {
	putString(e, r.user)
	e.uint(uint64(r.platform))
	e.uint(uint64(len(r.runs)))
	for _, x := range r.runs {
		e.uint(x.first)
		e.uint(x.last)
	}
}
