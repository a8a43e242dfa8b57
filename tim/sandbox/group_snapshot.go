package sandbox

import "github.com/timbridge/timbridge/tim"

// group writes a group as version 1 had it.
func (w *snapshotWriter) group(e *encoder, g *group) {
	putString(e, g.id)
	e.uint(uint64(g.typ))
	for _, s := range []string{g.name, g.introduction, g.notification, g.faceURL, string(g.owner)} {
		putString(e, s)
	}
	e.time(g.created)
	e.uint(uint64(g.most))
	e.uint(uint64(g.approve))
	e.bool(g.active)
	e.bool(g.dismissed)
	e.uint(g.reportSeq)
	e.uint(g.conv.mark.index)
	e.uint(uint64(g.members.len()))
	for _, m := range g.members.order {
		putString(e, m.id)
		e.uint(uint64(m.role))
		e.time(m.joined)
		e.uint(m.from)
	}
	e.uint(uint64(len(g.past)))
	for user, spans := range g.past {
		putString(e, user)
		e.uint(uint64(len(spans)))
		for _, v := range spans {
			e.uint(v.from)
			e.uint(v.to)
		}
	}
	e.uint(uint64(len(g.held)))
	for _, h := range g.held {
		putString(e, h.user)
		e.uint(w.ref(h.msg))
	}
}

// groups writes what version 1 did not know of groups. The caller holds the lock.
func (w *snapshotWriter) groups() []byte {
	e := &encoder{}
	e.uint(uint64(len(w.st.groups)))
	for _, g := range w.st.groups {
		putString(e, g.id)
		e.uint(g.first)
		e.uint(uint64(g.add))
		putSettings(e, g.settings)
		putFields(e, g.custom)
		e.uint(g.infoSeq)
		e.time(g.infoTime)
		e.bool(g.mutedAll)
		e.uint(uint64(len(g.muted)))
		for user, until := range g.muted {
			putString(e, user)
			e.uint(until)
		}
		e.uint(g.requestNumber)
		e.uint(uint64(len(g.requests)))
		for _, r := range g.requests {
			r.put(e)
		}
		e.uint(g.members.number)
		for _, m := range g.members.order { // in the order of the state
			e.uint(m.number)
			e.uint(uint64(m.flag))
			putString(e, m.nameCard)
			putFields(e, m.custom)
		}
	}
	return e.b
}

func (r *snapshotReader) group() {
	d := r.d
	g := &group{
		id: getString[tim.GroupID](d), typ: tim.GroupType(d.uint()),
		name: getString[string](d), introduction: getString[string](d), notification: getString[string](d),
		faceURL: getString[string](d), owner: getString[tim.UserID](d), created: d.time(),
		most: int(d.uint()), approve: tim.GroupAddOption(d.uint()), active: d.bool(), dismissed: d.bool(),
		reportSeq: d.uint(), conv: r.conv(), past: map[tim.UserID][]span{},
	}
	g.infoSeq, g.infoTime, g.add = 1, g.created, ruleTable.joinOption.of(g.typ) // version 1
	for range d.count() {
		user := getString[tim.UserID](d)
		g.members.add(&member{
			id: user, account: r.st.account(user), role: tim.GroupMemberRole(d.uint()), joined: d.time(), from: d.uint(),
		})
		r.st.account(user).enter(g)
	}
	for range d.count() {
		user := getString[tim.UserID](d)
		for range d.count() {
			g.past[user] = append(g.past[user], span{d.uint(), d.uint()})
		}
	}
	for range d.count() {
		g.held = append(g.held, heldReport{getString[tim.UserID](d), r.msg()})
	}
	r.st.groups[g.id] = g
}

func (r *snapshotReader) readGroups() error {
	d := r.d
	for range d.count() {
		g := r.st.groups[getString[tim.GroupID](d)]
		if g == nil {
			d.fail()
			break
		}
		g.first = d.uint()
		g.add, g.settings, g.custom = tim.GroupAddOption(d.uint()), getSettings(d), getFields(d)
		g.infoSeq, g.infoTime, g.mutedAll = d.uint(), d.time(), d.bool()
		g.muted = nil
		for range d.count() {
			user := getString[tim.UserID](d)
			g.mute(user, d.uint())
		}
		g.requestNumber = d.uint()
		g.requests = nil
		for range d.count() {
			q := getRequest(d)
			g.requests = append(g.requests, q)
			r.st.invite(g, q)
		}
		last := d.uint()
		before := uint64(0)
		for _, m := range g.members.order {
			m.number = d.uint()
			m.flag, m.nameCard, m.custom = tim.ReceiveMessageOpt(d.uint()), getString[string](d), getFields(d)
			if m.number <= before || m.number > last {
				d.fail()
				return d.err
			}
			before = m.number
		}
		g.members.number = last
	}
	return d.end()
}

func putFields(e *encoder, fields []field) {
	e.uint(uint64(len(fields)))
	for _, f := range fields {
		putString(e, f.key)
		putString(e, f.value)
	}
}

func getFields(d *decoder) []field {
	var fields []field
	for range d.count() {
		fields = append(fields, field{getString[string](d), getString[string](d)})
	}
	return fields
}

func putSettings(e *encoder, v groupSettings) {
	e.bool(v.topics)
	e.bool(v.permissionGroup)
	e.uint(v.visible)
	e.uint(v.searchable)
	e.uint(v.permissions)
}

func getSettings(d *decoder) groupSettings {
	return groupSettings{d.bool(), d.bool(), d.uint(), d.uint(), d.uint()}
}
