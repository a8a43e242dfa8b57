package sandbox

import "github.com/timbridge/timbridge/tim"

// The records of groups beyond those of the first version, which are in record.go.
const (
	opGroupCreate byte = iota + 40
	opGroupJoin
	opGroupQuit
	opGroupModify
	opMemberModify
	opGroupRequest
	opGroupDecide
	opGroupNotice
)

// joinRecord is a user who came into a group by its own wish.
type joinRecord struct {
	group tim.GroupID
	user  tim.UserID
	time  int64
	seed  uint64
}

// quitRecord is a member who left a group.
type quitRecord struct {
	group tim.GroupID
	user  tim.UserID
	time  int64
	seed  uint64
}

// infoRecord is a group whose information changed: what flags name.
type infoRecord struct {
	group                                     tim.GroupID
	by                                        tim.UserID
	flags                                     tim.GroupModifyInfoFlag
	name, notification, introduction, faceURL string
	add, approve                              tim.GroupAddOption
	most                                      int
	mutedAll                                  bool
	owner                                     tim.UserID
	custom                                    []field // an empty value takes the field away
	settings                                  groupSettings
	time                                      int64
	seed                                      uint64
}

// memberRecord is a member who changed, or was changed: what flags name.
type memberRecord struct {
	group    tim.GroupID
	by, user tim.UserID
	flags    tim.GroupMemberModifyInfoFlag
	flag     tim.ReceiveMessageOpt
	role     tim.GroupMemberRole
	shutup   uint64 // seconds, 0 to end it
	until    uint64 // the same as a Unix second
	nameCard string
	custom   []field // an empty value takes the field away
	time     int64
	seed     uint64
}

// requestRecord are wishes that the owner and the admins of a group have to
// decide on: to come in, or to bring others in.
type requestRecord struct {
	group tim.GroupID
	typ   tim.GroupPendencyType
	from  tim.UserID
	users []tim.UserID // who is to come in
	hello string
	time  int64
	seed  uint64
}

// decideRecord is a decision on one of them.
type decideRecord struct {
	group  tim.GroupID
	number uint64
	by     tim.UserID
	accept bool
	answer string
	time   int64
	seed   uint64
}

func (*createRecord) op() byte  { return opGroupCreate }
func (*joinRecord) op() byte    { return opGroupJoin }
func (*quitRecord) op() byte    { return opGroupQuit }
func (*infoRecord) op() byte    { return opGroupModify }
func (*memberRecord) op() byte  { return opMemberModify }
func (*requestRecord) op() byte { return opGroupRequest }
func (*decideRecord) op() byte  { return opGroupDecide }

// getGroupRecord reads a record of groups; nil: op is none of them.
func getGroupRecord(op byte, d *decoder) record {
	switch op {
	case opCreate:
		r := getCreate(d)
		r.add = ruleTable.joinOption.of(r.typ)
		return r
	case opGroupCreate:
		r := getCreate(d)
		r.add, r.settings, r.custom = tim.GroupAddOption(d.uint()), getSettings(d), getFields(d)
		return r
	case opGroupJoin:
		return &joinRecord{getString[tim.GroupID](d), getString[tim.UserID](d), d.time(), d.uint()}
	case opGroupQuit:
		return &quitRecord{getString[tim.GroupID](d), getString[tim.UserID](d), d.time(), d.uint()}
	case opGroupModify:
		return &infoRecord{
			group: getString[tim.GroupID](d), by: getString[tim.UserID](d), flags: tim.GroupModifyInfoFlag(d.uint()),
			name: getString[string](d), notification: getString[string](d), introduction: getString[string](d), faceURL: getString[string](d),
			add: tim.GroupAddOption(d.uint()), approve: tim.GroupAddOption(d.uint()), most: int(d.uint()), mutedAll: d.bool(),
			owner: getString[tim.UserID](d), custom: getFields(d), settings: getSettings(d), time: d.time(), seed: d.uint(),
		}
	case opMemberModify:
		return &memberRecord{
			group: getString[tim.GroupID](d), by: getString[tim.UserID](d), user: getString[tim.UserID](d),
			flags: tim.GroupMemberModifyInfoFlag(d.uint()), flag: tim.ReceiveMessageOpt(d.uint()), role: tim.GroupMemberRole(d.uint()),
			shutup: d.uint(), until: d.uint(), nameCard: getString[string](d), custom: getFields(d), time: d.time(), seed: d.uint(),
		}
	case opGroupRequest:
		return &requestRecord{
			group: getString[tim.GroupID](d), typ: tim.GroupPendencyType(d.uint()), from: getString[tim.UserID](d),
			users: getStrings[tim.UserID](d), hello: getString[string](d), time: d.time(), seed: d.uint(),
		}
	case opGroupDecide:
		return &decideRecord{
			group: getString[tim.GroupID](d), number: d.uint(), by: getString[tim.UserID](d),
			accept: d.bool(), answer: getString[string](d), time: d.time(), seed: d.uint(),
		}
	case opGroupNotice:
		return &noticeRecord{
			group: getString[tim.GroupID](d), users: getStrings[tim.UserID](d), content: getString[string](d), time: d.time(), seed: d.uint(),
		}
	}
	return nil
}

func (r *joinRecord) put(e *encoder) { putComing(e, r.group, r.user, r.time, r.seed) }
func (r *quitRecord) put(e *encoder) { putComing(e, r.group, r.user, r.time, r.seed) }

func putComing(e *encoder, g tim.GroupID, user tim.UserID, time int64, seed uint64) {
	putString(e, g)
	putString(e, user)
	e.time(time)
	e.uint(seed)
}

func (r *infoRecord) put(e *encoder) {
	putString(e, r.group)
	putString(e, r.by)
	e.uint(uint64(r.flags))
	for _, s := range []string{r.name, r.notification, r.introduction, r.faceURL} {
		putString(e, s)
	}
	e.uint(uint64(r.add))
	e.uint(uint64(r.approve))
	e.uint(uint64(r.most))
	e.bool(r.mutedAll)
	putString(e, r.owner)
	putFields(e, r.custom)
	putSettings(e, r.settings)
	e.time(r.time)
	e.uint(r.seed)
}

func (r *memberRecord) put(e *encoder) {
	putString(e, r.group)
	putString(e, r.by)
	putString(e, r.user)
	e.uint(uint64(r.flags))
	e.uint(uint64(r.flag))
	e.uint(uint64(r.role))
	e.uint(r.shutup)
	e.uint(r.until)
	putString(e, r.nameCard)
	putFields(e, r.custom)
	e.time(r.time)
	e.uint(r.seed)
}

func (r *requestRecord) put(e *encoder) {
	putString(e, r.group)
	e.uint(uint64(r.typ))
	putString(e, r.from)
	putStrings(e, r.users)
	putString(e, r.hello)
	e.time(r.time)
	e.uint(r.seed)
}

func (r *decideRecord) put(e *encoder) {
	putString(e, r.group)
	e.uint(r.number)
	putString(e, r.by)
	e.bool(r.accept)
	putString(e, r.answer)
	e.time(r.time)
	e.uint(r.seed)
}
