package sandbox

import (
	"context"

	"github.com/timbridge/timbridge/tim"
)

// withMedia is a message with its files handed over, and its elements as they
// are stored: with what the service knows of the files, and without the paths,
// which are nobody's business but the sender's.
func (c *Client) withMedia(ctx context.Context, op string, msg tim.Message) (tim.Message, error) {
	if !hasMedia(msg.Elems) {
		return msg, nil
	}
	if !c.remote {
		var err error
		if msg, err = tim.UploadMedia(ctx, c, msg, c.progress); err != nil {
			return tim.Message{}, err
		}
	}
	elems := append([]tim.Elem(nil), msg.Elems...)
	for i, e := range elems {
		stored, err := c.storedElem(ctx, op, e)
		if err != nil {
			return tim.Message{}, err
		}
		elems[i] = stored
	}
	msg.Elems = elems
	return msg, nil
}

// maxWaiting is how many events may wait in a session before its progress is
// kept to itself.
const maxWaiting = 1000

// progress tells this session how far an upload is.
func (c *Client) progress(p tim.UploadProgress) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if ss := c.session; ss != nil && !ss.over && len(ss.events) < maxWaiting {
		ss.tell(p)
	}
}

func hasMedia(elems []tim.Elem) bool {
	for _, e := range elems {
		switch e.(type) {
		case tim.ImageElem, tim.SoundElem, tim.FileElem, tim.VideoElem:
			return true
		}
	}
	return false
}

// storedElem fills an element with what is known of its files.
func (c *Client) storedElem(ctx context.Context, op string, e tim.Elem) (tim.Elem, error) {
	switch e := e.(type) {
	case tim.ImageElem:
		m, err := c.file(op, e.OrigID, e.OrigPath, tim.MaxImageBytes)
		if err != nil {
			return nil, err
		}
		if m, err = c.seeImage(ctx, op, m); err != nil {
			return nil, err
		}
		return tim.ImageElem{
			Level: e.Level, Format: m.pic.format, Extra: e.Extra,
			OrigID: string(m.id), OrigPicWidth: m.pic.width, OrigPicHeight: m.pic.height, OrigPicSize: m.size,
			ThumbID: string(m.thumb.id), ThumbPicWidth: m.thumb.width, ThumbPicHeight: m.thumb.height, ThumbPicSize: m.thumb.size,
			LargeID: string(m.large.id), LargePicWidth: m.large.width, LargePicHeight: m.large.height, LargePicSize: m.large.size,
		}, nil
	case tim.SoundElem:
		m, err := c.file(op, e.FileID, e.FilePath, tim.MaxFileBytes)
		if err != nil {
			return nil, err
		}
		e.FilePath, e.URL, e.TaskID, e.FileID, e.FileSize = "", "", 0, string(m.id), m.size
		return e, nil
	case tim.FileElem:
		m, err := c.file(op, e.FileID, e.FilePath, tim.MaxFileBytes)
		if err != nil {
			return nil, err
		}
		e.FilePath, e.URL, e.TaskID, e.FileID, e.FileSize = "", "", 0, string(m.id), m.size
		if e.FileName == "" {
			e.FileName = m.name
		}
		return e, nil
	case tim.VideoElem:
		return c.storedVideo(ctx, op, e)
	}
	return e, nil
}

// storedVideo fills a video, whose snapshot may be missing.
func (c *Client) storedVideo(ctx context.Context, op string, e tim.VideoElem) (tim.Elem, error) {
	m, err := c.file(op, e.VideoID, e.VideoPath, tim.MaxFileBytes)
	if err != nil {
		return nil, err
	}
	e.VideoPath, e.VideoURL, e.ImageURL, e.TaskID, e.VideoID, e.VideoSize = "", "", "", 0, string(m.id), uint64(m.size)
	if e.ImageID == "" && e.ImagePath == "" {
		return e, nil
	}
	snapshot, err := c.file(op, e.ImageID, e.ImagePath, tim.MaxImageBytes)
	if err != nil {
		return nil, err
	}
	if snapshot, err = c.seeImage(ctx, op, snapshot); err != nil {
		return nil, err
	}
	e.ImagePath, e.ImageID, e.ImageSize = "", string(snapshot.id), uint64(snapshot.size)
	e.ImageWidth, e.ImageHeight = uint64(snapshot.pic.width), uint64(snapshot.pic.height)
	return e, nil
}

// file finds the file that an element names. It is not removed for as long as
// one that was just handed over.
func (c *Client) file(op, id, path string, most int64) (*media, error) {
	if path != "" {
		// It is a path of somebody else's machine.
		return nil, refuse(op, tim.CodeSDKCommFileNotFound, "the file was not handed over before the message")
	}
	if _, err := c.begin(op); err != nil {
		return nil, err
	}
	defer c.s.mu.Unlock()
	m := c.s.st.library.files[mediaID(id)]
	switch {
	case m == nil:
		return nil, refuse(op, tim.CodeSDKCommFileNotFound, "the service has no file %q", id)
	case m.size > most:
		return nil, refuse(op, tim.CodeSDKCommFileTooLarge, "the file has %d bytes, the most is %d", m.size, most)
	}
	m.used = max(c.s.now(), c.s.st.lastTime)
	copied := *m
	return &copied, nil
}

// seen is a message in the eyes of an account, with the URLs of its files.
func (s *Sandbox) seen(m *message, user tim.UserID) tim.Message {
	v := m.seenBy(user)
	if !m.is(flagMedia) {
		return v
	}
	for i, e := range v.Elems {
		v.Elems[i] = s.withURLs(e)
	}
	return v
}

// withURLs fills in where an element's files are to be had now.
func (s *Sandbox) withURLs(e tim.Elem) tim.Elem {
	switch e := e.(type) {
	case tim.ImageElem:
		e.OrigURL, e.ThumbURL, e.LargeURL = s.urlOf(e.OrigID), s.urlOf(e.ThumbID), s.urlOf(e.LargeID)
		return e
	case tim.SoundElem:
		e.URL = s.urlOf(e.FileID)
		return e
	case tim.FileElem:
		e.URL = s.urlOf(e.FileID)
		return e
	case tim.VideoElem:
		e.VideoURL, e.ImageURL = s.urlOf(e.VideoID), s.urlOf(e.ImageID)
		return e
	}
	return e
}
