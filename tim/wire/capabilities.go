package wire

import (
	"slices"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// The names of the optional interfaces, as the welcome announces them.
const (
	capResender    = "resender"
	capHistory     = "history"
	capModifier    = "modifier"
	capEraser      = "eraser"
	capReader      = "reader"
	capBatchSender = "batch_sender"
	capGroups      = "groups"
	capProfiles    = "profiles"
	capPresence    = "presence"
	capUploader    = "uploader"
)

// capabilitiesOf names the optional interfaces that a client has.
func capabilitiesOf(c tim.Client) []string {
	var names []string
	for _, one := range []struct {
		name string
		has  bool
	}{
		{capResender, is[tim.Resender](c)},
		{capHistory, is[tim.History](c)},
		{capModifier, is[tim.Modifier](c)},
		{capEraser, is[tim.Eraser](c)},
		{capReader, is[tim.Reader](c)},
		{capBatchSender, is[tim.BatchSender](c)},
		{capGroups, is[tim.Groups](c)},
		{capProfiles, is[tim.Profiles](c)},
		{capPresence, is[tim.Presence](c)},
		{capUploader, is[tim.Uploader](c)},
	} {
		if one.has {
			names = append(names, one.name)
		}
	}
	return names
}

func is[I any](c tim.Client) bool {
	_, ok := c.(I)
	return ok
}

// The optional interfaces, each as a type to be put beside a client. talk has
// those that every whole SDK has beside its history.
type (
	resender struct{ c *client }
	history  struct{ c *client }
	talk     struct{ c *client }
	uploader struct{ c *client }
)

var (
	_ tim.Resender    = resender{}
	_ tim.History     = history{}
	_ tim.Modifier    = talk{}
	_ tim.Eraser      = talk{}
	_ tim.Reader      = talk{}
	_ tim.BatchSender = talk{}
	_ tim.Groups      = talk{}
	_ tim.Profiles    = talk{}
	_ tim.Presence    = talk{}
	_ tim.Uploader    = uploader{}
)

// ResendWindow implements [tim.Resender].
func (r resender) ResendWindow(t tim.ConvType) time.Duration { return r.c.windows[t] }

// withCapabilities gives the client the largest of a few sets of optional
// interfaces that the server has all of. What a type can do is fixed when it is
// compiled, and a type for every set there could be would be a thousand; these
// are the sets that drivers have: a service as a whole, a library that chooses
// randoms itself, and less.
func (c *client) withCapabilities(names []string) tim.Client {
	has := func(wanted ...string) bool {
		return !slices.ContainsFunc(wanted, func(name string) bool { return !slices.Contains(names, name) })
	}
	talks := has(capModifier, capEraser, capReader, capBatchSender, capGroups, capProfiles, capPresence)
	switch {
	case talks && has(capHistory, capResender, capUploader):
		return struct {
			*client
			resender
			history
			talk
			uploader
		}{c, resender{c}, history{c}, talk{c}, uploader{c}}
	case talks && has(capHistory):
		return struct {
			*client
			history
			talk
		}{c, history{c}, talk{c}}
	case has(capHistory, capResender):
		return struct {
			*client
			resender
			history
		}{c, resender{c}, history{c}}
	case has(capHistory):
		return struct {
			*client
			history
		}{c, history{c}}
	case has(capResender):
		return struct {
			*client
			resender
		}{c, resender{c}}
	}
	return c
}
