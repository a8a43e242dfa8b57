package wire

import (
	"encoding/base64"
	"fmt"
	"strconv"
)

// An answer that is too long for one message comes in pieces, where the client
// takes them: part frames with the bytes of its body one after the other, and
// then the res frame without a body, which says how many bytes that were. The
// list of an account's conversations may have a hundred thousand entries.

// reply is an answer that waits to be written: a frame, or a body in pieces.
type reply struct {
	frame []byte
	id    uint64
	rest  []byte // of the body, nil of a whole frame
	bytes int    // of the whole body
}

// pieceBytes is how much of a body goes into one piece, so that other answers
// and reports find room beside it.
func pieceBytes(limit int) int { return min(limit, batchBytes) / 2 }

// gather appends the next frame of the answer where it fits, and says so, and
// whether more of it follows.
func (r *reply) gather(dst []byte, limit, piece int) (_ []byte, fits, more bool) {
	if r.frame != nil {
		if len(dst) > 0 && len(dst)+len(r.frame) > limit {
			return dst, false, true
		}
		return append(dst, r.frame...), true, false
	}
	n := min(piece, len(r.rest))
	if len(dst) > 0 && len(dst)+base64.StdEncoding.EncodedLen(n)+pieceOverhead > limit {
		return dst, false, true
	}
	if n == 0 {
		return appendReplyInPieces(dst, r.id, r.bytes), true, false
	}
	dst = appendPart(dst, r.id, r.rest[:n])
	r.rest = r.rest[n:]
	return dst, true, true
}

// pieceOverhead is more than what appendPart adds to the data.
const pieceOverhead = 64

// appendPart appends a part frame.
func appendPart(dst []byte, id uint64, data []byte) []byte {
	dst = append(dst, `{"t":"part","id":`...)
	dst = strconv.AppendUint(dst, id, 10)
	dst = append(dst, `,"data":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, data)
	return append(dst, '"', '}', '\n')
}

// appendReplyInPieces appends the res frame of an answer that came in pieces.
func appendReplyInPieces(dst []byte, id uint64, bytes int) []byte {
	dst = append(dst, `{"t":"res","id":`...)
	dst = strconv.AppendUint(dst, id, 10)
	dst = append(dst, `,"bytes":`...)
	dst = strconv.AppendUint(dst, uint64(bytes), 10)
	return append(dst, '}', '\n')
}

// part takes a piece of an answer.
func (c *clientConn) part(f frame) error {
	c.mu.Lock()
	one := c.pending[f.id]
	c.mu.Unlock()
	if one == nil {
		return nil
	}
	if len(one.pieces)+base64.StdEncoding.DecodedLen(len(f.data)) > c.maxAnswer {
		return fmt.Errorf("%w: an answer in pieces has more than %d bytes", errFrame, c.maxAnswer)
	}
	var err error
	if one.pieces, err = base64.StdEncoding.AppendDecode(one.pieces, []byte(f.data)); err != nil {
		return fmt.Errorf("%w: a piece of an answer: %w", errFrame, err)
	}
	return nil
}

// whole is the body of an answer, of which pieces may have come before.
func (c *call) whole(f frame) ([]byte, error) {
	if f.bytes == 0 && len(c.pieces) == 0 {
		return f.body, nil
	}
	body := c.pieces
	if c.pieces = nil; uint64(len(body)) != f.bytes || len(f.body) > 0 {
		return nil, fmt.Errorf("%w: an answer of %d bytes came in pieces of %d", errFrame, f.bytes, len(body))
	}
	return body, nil
}
