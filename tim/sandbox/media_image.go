package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"image"
	_ "image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"

	_ "golang.org/x/image/bmp"
	"golang.org/x/image/draw"

	"github.com/timbridge/timbridge/tim"
)

const (
	// thumbSide and largeSide are the shorter side of what is made of an image.
	thumbSide = 198
	largeSide = 720
	// maxPixels bounds what is decoded: a small file can hold a picture that
	// fills the memory. A larger one is its own thumbnail.
	maxPixels = 24 << 20
	// maxPictureSide bounds the sides that are believed.
	maxPictureSide = 1 << 20
	jpegQuality    = 85
)

// seeImage finds out what an image is, and makes its thumbnail and its large
// size, unless that was done before.
func (c *Client) seeImage(ctx context.Context, op string, m *media) (*media, error) {
	if m.pic != nil {
		return m, nil
	}
	ms := c.s.media
	ms.making.Lock()
	defer ms.making.Unlock()
	r, made, err := ms.look(m.mediaFile)
	if err != nil {
		return nil, &tim.Error{Op: op, Code: tim.CodeImageUploadFailedNotImage, Effect: tim.EffectNotDone, Err: err}
	}
	defer func() {
		for _, f := range made {
			ms.unpin(f.sum)
		}
	}()
	if _, err := c.begin(op); err != nil {
		return nil, err
	}
	for _, f := range made {
		f.time = max(c.s.now(), c.s.st.lastTime)
	}
	_, b := c.s.write(r)
	now := c.s.st.library.files[m.id]
	if now != nil {
		copied := *now
		now = &copied
	}
	c.s.mu.Unlock()
	if now == nil {
		return nil, refuse(op, tim.CodeSDKCommFileNotFound, "the file was removed")
	}
	return now, b.wait(ctx, op)
}

// look decodes an image and makes its smaller sizes; made are those that are
// files of their own, and pinned.
func (ms *mediaStore) look(f mediaFile) (r *renditionsRecord, made []*mediaFile, err error) {
	config, format, err := ms.config(f)
	if err != nil {
		return nil, nil, err
	}
	r = &renditionsRecord{
		id: f.id, pic: picture{formatOf(format), int64(config.Width), int64(config.Height)}, thumb: f, large: f,
	}
	r.thumb.width, r.thumb.height = r.pic.width, r.pic.height
	r.large = r.thumb
	short := min(config.Width, config.Height)
	if short <= thumbSide || config.Width > maxPixels/config.Height {
		return r, nil, nil
	}
	picture, err := ms.decode(f)
	if err != nil {
		return nil, nil, err
	}
	for _, one := range []struct {
		side int
		file *mediaFile
	}{{largeSide, &r.large}, {thumbSide, &r.thumb}} {
		if short <= one.side {
			continue
		}
		small, ext := scale(picture, one.side), ".jpg"
		var out bytes.Buffer
		if format == "png" || format == "gif" { // they may have holes
			ext = ".png"
			err = png.Encode(&out, small)
		} else {
			err = jpeg.Encode(&out, small, &jpeg.Options{Quality: jpegQuality})
		}
		if err != nil {
			return nil, nil, fmt.Errorf("write a smaller size: %w", err)
		}
		size := int64(out.Len())
		sum, err := ms.keep(&out, size)
		if err != nil {
			for _, f := range made {
				ms.unpin(f.sum)
			}
			return nil, nil, err
		}
		*one.file = mediaFile{
			id: newMediaID(), sum: sum, name: mediaName(f.name + ext), owner: f.owner, size: size,
			width: int64(small.Bounds().Dx()), height: int64(small.Bounds().Dy()),
		}
		made = append(made, one.file)
	}
	return r, made, nil
}

// config reads how large a picture is.
func (ms *mediaStore) config(f mediaFile) (image.Config, string, error) {
	file, err := os.Open(ms.path(f.sum))
	if err != nil {
		return image.Config{}, "", fmt.Errorf("open the image: %w", err)
	}
	defer file.Close() // it was only read
	config, format, err := image.DecodeConfig(file)
	if err != nil {
		return image.Config{}, "", fmt.Errorf("the image: %w", err)
	}
	if config.Width <= 0 || config.Height <= 0 || config.Width > maxPictureSide || config.Height > maxPictureSide {
		return image.Config{}, "", fmt.Errorf("the image has %d by %d pixels", config.Width, config.Height)
	}
	return config, format, nil
}

func (ms *mediaStore) decode(f mediaFile) (image.Image, error) {
	file, err := os.Open(ms.path(f.sum))
	if err != nil {
		return nil, fmt.Errorf("open the image: %w", err)
	}
	defer file.Close() // it was only read
	picture, _, err := image.Decode(file)
	if err != nil {
		return nil, fmt.Errorf("the image: %w", err)
	}
	return picture, nil
}

// scale makes a picture smaller, so that its shorter side has that length.
func scale(from image.Image, short int) image.Image {
	w, h := from.Bounds().Dx(), from.Bounds().Dy()
	k := float64(short) / float64(min(w, h))
	if k >= 1 {
		return from // the frame of an animation may be smaller than the whole
	}
	to := image.NewNRGBA(image.Rect(0, 0, max(1, int(math.Round(float64(w)*k))), max(1, int(math.Round(float64(h)*k)))))
	draw.BiLinear.Scale(to, to.Bounds(), from, from.Bounds(), draw.Src, nil)
	return to
}

func formatOf(name string) int64 {
	switch name {
	case "jpeg":
		return formatJPEG
	case "gif":
		return formatGIF
	case "png":
		return formatPNG
	case "bmp":
		return formatBMP
	}
	return formatOther
}
