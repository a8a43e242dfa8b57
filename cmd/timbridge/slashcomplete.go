package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

// complete says what Tab can make of a line before the cursor: typed is its
// end, and found what could stand in its place, in order. Commands are
// completed after a slash, and what they are about after them: users, groups,
// files. In what is said it is people's names.
func (t *talk) complete(before string) (typed string, found []string) {
	command, ok := strings.CutPrefix(before, "/")
	if !ok || strings.HasPrefix(command, "/") {
		typed = lastWord(before)
		return typed, beginning(typed, t.namesHere())
	}
	name, args, ok := strings.Cut(command, " ")
	if !ok {
		var all []string
		for _, s := range slashes() {
			if !s.group || t.here().Type == tim.ConvGroup {
				all = append(all, "/"+s.name)
			}
		}
		return before, matching(before, all)
	}
	typed = lastWord(args)
	switch name {
	case "to", "invite", "kick", "accept", "refuse", "create", "transfer":
		return typed, t.usersAt(typed)
	case "group", "join":
		return typed, matching(typed, t.groupsKnown())
	case "file":
		return args, filesAt(args)
	}
	return typed, nil
}

// lastWord is what stands after the last space.
func lastWord(text string) string { return text[strings.LastIndexAny(text, " \n")+1:] }

// beginning are those that begin with what was typed, which is something.
func beginning(typed string, all []string) []string {
	if typed == "" {
		return nil
	}
	return matching(typed, all)
}

// matching are those that begin with what was typed in whatever case, in
// order and each once.
func matching(typed string, all []string) []string {
	var found []string
	for _, one := range all {
		if n := len(typed); len(one) >= n && strings.EqualFold(one[:n], typed) {
			found = append(found, one)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// people are those that the talk has heard of. t.mu is held.
func (t *talk) people() map[tim.UserID]bool {
	known := map[tim.UserID]bool{}
	for _, from := range []map[tim.UserID]string{t.names.nicks, t.names.cards} {
		for user := range from {
			known[user] = true
		}
	}
	for _, m := range t.recent {
		known[m.Sender] = true
	}
	for conv := range t.elsewhere {
		if conv.Type == tim.ConvC2C {
			known[tim.UserID(conv.ID)] = true
		}
	}
	if t.conv.Type == tim.ConvC2C {
		known[tim.UserID(t.conv.ID)] = true
	}
	for _, nobody := range []tim.UserID{"", t.me, tim.SystemUser} {
		delete(known, nobody)
	}
	return known
}

// namesHere are what people are called.
func (t *talk) namesHere() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for user := range t.people() {
		all = append(all, t.names.bare(user))
	}
	return all
}

// usersAt are the users whose ids begin with what was typed, or else their names.
func (t *talk) usersAt(typed string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ids, named []string
	for user := range t.people() {
		ids = append(ids, quoted(string(user)))
		if len(beginning(typed, []string{t.names.bare(user)})) > 0 {
			named = append(named, quoted(string(user)))
		}
	}
	if found := matching(typed, ids); len(found) > 0 {
		return found
	}
	slices.Sort(named)
	return named
}

// groupsKnown are the groups that the talk has heard of, by their ids.
func (t *talk) groupsKnown() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	add := func(conv tim.Conversation) {
		if conv.Type == tim.ConvGroup {
			all = append(all, quoted(conv.ID))
		}
	}
	add(t.conv)
	for conv := range t.elsewhere {
		add(conv)
	}
	return all
}

// maxFiles bounds how many files of a folder are looked at.
const maxFiles = 1000

// filesAt are the files and folders that a path may go on to.
func filesAt(typed string) []string {
	dir, base := filepath.Split(typed)
	from := dir
	if from == "" {
		from = "."
	}
	f, err := os.Open(from)
	if err != nil {
		return nil
	}
	defer f.Close() // it was only read
	entries, _ := f.ReadDir(maxFiles)
	var found []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, base) || base == "" && strings.HasPrefix(name, ".") {
			continue
		}
		if e.IsDir() {
			name += string(filepath.Separator)
		}
		found = append(found, dir+name)
	}
	slices.Sort(found)
	return found
}
