package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// greeting is the beginning of what is heard on a new connection. It shows
// whether it is a broker that answers: kafka-go takes the first bytes of any
// other server for the length of an answer, and waits for the rest.
type greeting struct {
	b    [4]byte
	n    int
	over bool
	no   error // what was heard is no broker's
}

// hear takes what was read, and returns a [*foreignError] when no broker says so.
func (g *greeting) hear(b []byte) error {
	if g.over || len(b) == 0 {
		return nil
	}
	g.n += copy(g.b[g.n:], b)
	if g.n < len(g.b) {
		return nil
	}
	g.over = true
	const correlation = 4 // what every answer has
	if n := binary.BigEndian.Uint32(g.b[:]); n >= correlation && n <= maxResponse {
		return nil
	}
	g.no = foreign(g.b[:])
	return g.no
}

// foreignError says that what answers is no broker.
type foreignError struct{ what, advice string }

func (e *foreignError) Error() string { return e.what }

// guess finds out what listens at the first broker's address, where it says
// nothing to us by itself: it is greeted in TLS and in HTTP. It returns a
// [*foreignError], or nil when that shows nothing. Each answer is waited for as
// long as patience.
func (c *conn) guess(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	addr := c.cfg.Brokers[0]
	if c.tls == nil {
		spoken := false
		err := c.meet(ctx, addr, patience, func(nc net.Conn) error {
			hello := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) // nothing is said on it
			err := hello.HandshakeContext(ctx)
			spoken = err == nil || isAlert(err)
			return err
		})
		var record tls.RecordHeaderError
		switch {
		case spoken:
			return &foreignError{"it speaks TLS", "it expects TLS: configure it, or use its plaintext port"}
		case errors.As(err, &record) && string(record.RecordHeader[:4]) == "HTTP":
			return foreign(record.RecordHeader[:])
		}
	}
	var first [4]byte
	err := c.meet(ctx, addr, patience, func(nc net.Conn) error {
		if c.tls != nil {
			secure, err := c.secure(ctx, nc, addr)
			if err != nil {
				return err
			}
			nc = secure
		}
		if _, err := io.WriteString(nc, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			return err
		}
		_, err := io.ReadFull(nc, first[:])
		return err
	})
	if err == nil && string(first[:]) == "HTTP" {
		return foreign(first[:])
	}
	return nil
}

// meet talks on a connection of its own, for as long as patience.
func (c *conn) meet(ctx context.Context, addr string, patience time.Duration, talk func(net.Conn) error) error {
	nc, err := c.cfg.Dial(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = nc.Close() }() // it has served
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return talk(nc)
}

// foreign recognises a server by the first four bytes that it says, or more.
func foreign(b []byte) *foreignError {
	switch b = b[:4]; {
	case string(b) == "HTTP":
		return &foreignError{"it answers in HTTP", "a web server or a proxy listens there: use the port of a Kafka broker"}
	case string(b) == "INFO", string(b) == "-ERR":
		return &foreignError{"it answers as a NATS server does", "use the port of a Kafka broker, or configure a bus of the kind \"nats\""}
	case string(b) == "SSH-":
		return &foreignError{"it answers in SSH", "use the port of a Kafka broker"}
	case bytes.HasPrefix(b, []byte{0x15, 0x03}):
		return &foreignError{"it answers with an alert of TLS", "it expects TLS: configure it, or use its plaintext port"}
	}
	return &foreignError{fmt.Sprintf("its answer begins with %q, which no broker's does", b), "use the port of a Kafka broker"}
}
