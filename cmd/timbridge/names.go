package main

import (
	"github.com/timbridge/timbridge/tim"
)

// names are what people are called in a talk: by their name card in the group,
// else their nickname, else their id.
type names struct {
	nicks map[tim.UserID]string
	cards map[tim.UserID]string // of the group that is talked in
}

func newNames() *names {
	return &names{nicks: map[tim.UserID]string{}, cards: map[tim.UserID]string{}}
}

// learn takes over what a profile says.
func (n *names) learn(p tim.UserProfile) {
	if p.Identifier != "" {
		n.nicks[p.Identifier] = plain(p.NickName)
	}
}

// learnMember takes over what a member of the group is called in it.
func (n *names) learnMember(m tim.GroupMemberInfo) {
	if m.Identifier == "" {
		return
	}
	n.cards[m.Identifier] = plain(m.NameCard)
	if m.NickName != "" {
		n.nicks[m.Identifier] = plain(m.NickName)
	}
}

// learnFrom takes over what a message says of its sender.
func (n *names) learnFrom(m tim.Message) {
	if p := m.SenderProfile; p != nil && p.Identifier == m.Sender && p.NickName != "" {
		n.learn(*p)
	}
	if i := m.SenderGroupMemberInfo; i != nil && i.Identifier == m.Sender && i.NameCard != "" {
		n.cards[m.Sender] = plain(i.NameCard)
	}
}

// of is what a user is called. Whoever is called like somebody else is shown
// with the id, so that nobody speaks in another's name.
func (n *names) of(user tim.UserID) string {
	name := n.bare(user)
	if name == string(user) {
		return name
	}
	for _, others := range []map[tim.UserID]string{n.nicks, n.cards} {
		for other := range others {
			if other != user && (name == string(other) || name == n.bare(other)) {
				return name + " (" + string(user) + ")"
			}
		}
	}
	return name
}

// full is the name with the id.
func (n *names) full(user tim.UserID) string {
	if name := n.bare(user); name != string(user) {
		return name + " (" + string(user) + ")"
	}
	return string(user)
}

func (n *names) bare(user tim.UserID) string {
	if card := n.cards[user]; card != "" {
		return card
	}
	if nick := n.nicks[user]; nick != "" {
		return nick
	}
	return string(user)
}
