package tim

import (
	"context"
	"io"
)

// Upload is a file that the service holds, to be put into an element of a
// message: its ID into the OrigID, FileID, VideoID or ImageID of an element
// whose path is empty.
type Upload struct {
	// ID names the file at the service.
	ID string `json:"id"`
	// URL downloads it.
	URL string `json:"url"`
	// Size is the file's length in bytes.
	Size int64 `json:"size"`
}

// Uploader is a [Client] that takes a file from whoever has one, without a path
// that the service could read it from. [Client].Send does it by itself for an
// element with a path.
type Uploader interface {
	// Upload hands over the size bytes that r gives, under a name that decides
	// nothing but what a download is called; of a path only its last part is
	// looked at. The file can be used in messages of the account that is signed
	// in. One that no message uses is removed by the service after some time.
	// The code is 7005 when the file has more bytes than the service takes.
	Upload(ctx context.Context, name string, size int64, r io.Reader) (Upload, error)
}
