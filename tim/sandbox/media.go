package sandbox

import (
	"maps"
	"slices"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// mediaID names a file that was sent. Whoever has it can download the file, so
// it cannot be guessed.
type mediaID string

// mediaFile is a file that the service holds.
type mediaFile struct {
	id            mediaID
	sum           string // the SHA-256 of its content in hex, and its name on disk
	name          string // what a download is called
	owner         tim.UserID
	size          int64
	time          int64 // nanoseconds since 1970, when it came
	width, height int64 // of a picture; 0: nobody has looked
}

// picture is what was found out of a file that was sent as an image.
type picture struct {
	format        int64
	width, height int64
}

// media is a file with what was made of it.
type media struct {
	mediaFile
	// pic is nil while the file was not sent as an image. thumb and large are
	// the file itself where it is small, or larger than is looked into.
	pic          *picture
	thumb, large mediaFile
	used         int64 // when it was last put into a message; ends with the process
}

// The formats of images, as the service numbers them.
const (
	formatJPEG  = 1
	formatGIF   = 2
	formatPNG   = 3
	formatBMP   = 4
	formatOther = 255
)

// mediaRecord is a file that was handed over.
type mediaRecord struct{ file mediaFile }

// renditionsRecord is what was made of an image.
type renditionsRecord struct {
	id           mediaID
	pic          picture
	thumb, large mediaFile
}

// mediaGoneRecord are files that no message uses, and that were removed.
type mediaGoneRecord struct {
	ids []mediaID
	// sums are what these were on disk, for whoever removes them.
	sums []string
}

func (*mediaRecord) op() byte      { return opMedia }
func (*renditionsRecord) op() byte { return opRenditions }
func (*mediaGoneRecord) op() byte  { return opMediaGone }

func (r *mediaRecord) put(e *encoder) { putFile(e, r.file) }

func (r *renditionsRecord) put(e *encoder) {
	putString(e, r.id)
	putPicture(e, r.pic)
	putFile(e, r.thumb)
	putFile(e, r.large)
}

func (r *mediaGoneRecord) put(e *encoder) { putStrings(e, r.ids) }

func putFile(e *encoder, f mediaFile) {
	putString(e, f.id)
	putString(e, f.sum)
	putString(e, f.name)
	putString(e, f.owner)
	e.uint(uint64(f.size))
	e.time(f.time)
	e.uint(uint64(f.width))
	e.uint(uint64(f.height))
}

func getFile(d *decoder) mediaFile {
	f := mediaFile{
		id: getString[mediaID](d), sum: getString[string](d), name: getString[string](d), owner: getString[tim.UserID](d),
		size: int64(d.uint()), time: d.time(), width: int64(d.uint()), height: int64(d.uint()),
	}
	if !validSum(f.sum) || f.size < 0 { // the sum becomes a path
		d.fail()
	}
	return f
}

func putPicture(e *encoder, p picture) {
	e.uint(uint64(p.format))
	e.uint(uint64(p.width))
	e.uint(uint64(p.height))
}

func getPicture(d *decoder) picture {
	return picture{int64(d.uint()), int64(d.uint()), int64(d.uint())}
}

// library is what the service knows of files. It is part of its state.
type library struct {
	files map[mediaID]*media
	refs  map[string]int // how many of the files have a content
	bytes int64          // of the contents, each once
	// known finds a file by what it is. Who hands the same one over again gets
	// the same id, so that what is said with it again is the same too.
	known map[mediaKey]mediaID
}

// mediaKey is what makes a file the same.
type mediaKey struct {
	owner     tim.UserID
	sum, name string
}

func (f mediaFile) key() mediaKey { return mediaKey{f.owner, f.sum, f.name} }

// add takes a file in.
func (l *library) add(f mediaFile) *media {
	if old := l.files[f.id]; old != nil {
		return old
	}
	if l.files == nil {
		l.files, l.refs, l.known = map[mediaID]*media{}, map[string]int{}, map[mediaKey]mediaID{}
	}
	if _, ok := l.known[f.key()]; !ok {
		l.known[f.key()] = f.id
	}
	m := &media{mediaFile: f}
	l.files[f.id] = m
	if l.refs[f.sum]++; l.refs[f.sum] == 1 {
		l.bytes += f.size
	}
	return m
}

// remove forgets a file, and says whether its content is needed no more.
func (l *library) remove(id mediaID) (sum string, last bool) {
	m := l.files[id]
	if m == nil {
		return "", false
	}
	delete(l.files, id)
	if l.known[m.key()] == id {
		delete(l.known, m.key())
	}
	if l.refs[m.sum]--; l.refs[m.sum] > 0 {
		return m.sum, false
	}
	delete(l.refs, m.sum)
	l.bytes -= m.size
	return m.sum, true
}

func (r *mediaRecord) apply(st *state, _ uint64) {
	st.clock(r.file.time)
	st.library.add(r.file)
}

func (r *renditionsRecord) apply(st *state, _ uint64) {
	m := st.library.files[r.id]
	if m == nil || m.pic != nil {
		return // removed meanwhile, or made by another at the same time
	}
	pic := r.pic
	m.pic, m.thumb, m.large = &pic, r.thumb, r.large
	m.width, m.height = pic.width, pic.height
	st.library.add(r.thumb)
	st.library.add(r.large)
}

func (r *mediaGoneRecord) apply(st *state, _ uint64) {
	r.sums = r.sums[:0]
	for _, id := range r.ids {
		if sum, last := st.library.remove(id); last {
			r.sums = append(r.sums, sum)
		}
	}
}

// unused are the files from before a time that no message uses, by their ids.
func (st *state) unused(before int64) []mediaID {
	used := map[mediaID]struct{}{}
	for m := range st.messagesWithMedia() {
		for _, id := range mediaOf(m.said().Elems) {
			used[id] = struct{}{}
		}
	}
	// A picture and what was made of it go together.
	for _, m := range st.library.files {
		if _, ok := used[m.id]; ok && m.pic != nil {
			used[m.thumb.id], used[m.large.id] = struct{}{}, struct{}{}
		}
	}
	var ids []mediaID
	for id, m := range st.library.files {
		if _, ok := used[id]; !ok && max(m.time, m.used) < before {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// messagesWithMedia are all messages with files that anybody may still get.
func (st *state) messagesWithMedia() map[*message]struct{} {
	found := map[*message]struct{}{}
	add := func(m *message) {
		if m != nil && m.is(flagMedia) {
			found[m] = struct{}{}
		}
	}
	for c := range maps.Values(st.convs) {
		for _, m := range c.history() {
			add(m)
		}
		add(c.last)
	}
	for _, a := range st.accounts {
		for _, r := range a.inbox {
			add(r.msg)
		}
	}
	for _, g := range st.groups {
		for _, h := range g.held {
			add(h.msg)
		}
	}
	return found
}

// mediaOf are the files that elements name, those of messages passed on too.
func mediaOf(elems []tim.Elem) []mediaID {
	var ids []mediaID
	for _, e := range elems {
		switch e := e.(type) {
		case tim.ImageElem:
			ids = append(ids, mediaID(e.OrigID), mediaID(e.ThumbID), mediaID(e.LargeID))
		case tim.SoundElem:
			ids = append(ids, mediaID(e.FileID))
		case tim.FileElem:
			ids = append(ids, mediaID(e.FileID))
		case tim.VideoElem:
			ids = append(ids, mediaID(e.VideoID), mediaID(e.ImageID))
		case tim.MergerElem:
			for _, m := range e.Messages {
				ids = append(ids, mediaOf(m.Elems)...)
			}
		}
	}
	return slices.DeleteFunc(ids, func(id mediaID) bool { return id == "" })
}

// sweepPause is how often files that nobody uses are looked for.
const sweepPause = time.Hour

// sweepMedia removes the files that no message has used for long enough, when
// it is time to look for them. The caller holds the lock.
func (s *Sandbox) sweepMedia(now int64) {
	s.media.removeGone(&s.st.library)
	keep := s.opts.Limits.MediaTime
	if keep == 0 || now < s.media.nextSweep || s.usable("sweep") != nil {
		return
	}
	s.media.nextSweep = now + int64(min(sweepPause, keep))
	ids := s.st.unused(now - int64(keep))
	if len(ids) == 0 {
		return
	}
	r := &mediaGoneRecord{ids: ids}
	_, b := s.write(r)
	s.media.gone = append(s.media.gone, goneMedia{b, r.sums})
	s.log.Debug("files that no message uses are removed", "files", len(ids))
}
