package sandbox

import "github.com/timbridge/timbridge/tim"

// groupRecords has one of each kind in group_record.go, each with something to do.
func groupRecords() []record {
	const at = int64(15e17)
	all := knownFlags &^ tim.ModifyGroupOwner
	return []record{
		&createRecord{
			group: "room", typ: tim.GroupAVChatRoom, name: "room", owner: "ann", add: tim.GroupAddAny, approve: tim.GroupAddForbid,
			time: at, seed: 50,
		},
		&createRecord{
			group: "team", typ: tim.GroupPublic, name: "team", owner: "ann", most: 9, approve: tim.GroupAddAuth, add: tim.GroupAddAuth,
			members: []newMember{{"ben", tim.RoleAdmin}, {"cid", tim.RoleMember}}, time: at + 1, seed: 51,
			settings: groupSettings{topics: true, permissionGroup: true, visible: 1, searchable: 2, permissions: 3}, custom: []field{{"a", "b"}, {"c", "d"}},
		},
		&joinRecord{group: "room", user: "eve", time: at + 2, seed: 52},
		&sendRecord{conv: groupKey("room"), sender: "eve", time: at + 3, rand: 12, content: []byte(`{}`)},
		&sendRecord{conv: groupKey("team"), sender: "ann", time: at + 3, rand: 13, online: true, content: []byte(`{}`)},
		&quitRecord{group: "team", user: "cid", time: at + 4, seed: 53},
		&requestRecord{group: "team", typ: tim.PendencyJoinNeedApprovedByAdmin, from: "dot", users: []tim.UserID{"dot"}, hello: "me", time: at + 5, seed: 54},
		&requestRecord{group: "team", typ: tim.PendencyInviteNeedApprovedByAdmin, from: "ben", users: []tim.UserID{"eve", "fay"}, hello: "them", time: at + 6, seed: 55},
		&decideRecord{group: "team", number: 1, by: "ben", accept: true, answer: "yes", time: at + 7, seed: 56},
		&decideRecord{group: "team", number: 3, by: "ann", answer: "no", time: at + 8, seed: 57},
		&infoRecord{
			group: "team", by: "ann", flags: all, name: "n", notification: "o", introduction: "i", faceURL: "f",
			add: tim.GroupAddAny, approve: tim.GroupAddAny, most: 8, mutedAll: true, custom: []field{{"a", ""}, {"e", "f"}},
			settings: groupSettings{visible: 4, searchable: 5, permissions: 6}, time: at + 9, seed: 58,
		},
		&infoRecord{group: "team", by: "ann", flags: tim.ModifyGroupOwner, owner: "ben", time: at + 10, seed: 59},
		&memberRecord{
			group: "team", by: "ben", user: "dot", flags: 31, flag: tim.RecvNone, role: tim.RoleAdmin, shutup: 60, until: uint64(at/1e9) + 60,
			nameCard: "Dot", custom: []field{{"k", "v"}}, time: at + 11, seed: 60,
		},
		&noticeRecord{group: "team", users: []tim.UserID{"ben", "dot"}, content: "n", time: at + 12, seed: 61},
		&sendRecord{conv: groupKey("team"), sender: "ben", time: at + 12, rand: 14, content: []byte(`{}`)},
	}
}
