package egress

import (
	"testing"
	"time"
)

func TestRedrive(t *testing.T) {
	c := sendTo("order-7", "bob", "hi")
	c.expiry = time.Now()
	first := Redrive(c.event(t))
	if first.ID() != "order-7~r1" || len(first.Extensions()) != len(c.event(t).Extensions())-1 {
		t.Errorf("%s with %v", first.ID(), first.Extensions())
	}
	if second := Redrive(first); second.ID() != "order-7~r2" {
		t.Errorf("and then %s", second.ID())
	}
	a, err := testMapper.ToCommand(c.event(t))
	if err != nil {
		t.Fatal(err)
	}
	b, err := testMapper.ToCommand(first)
	if err != nil {
		t.Fatal(err)
	}
	if a.Content != b.Content || !b.Expiry.IsZero() {
		t.Errorf("another content, or an expiry: %v", b.Expiry)
	}
}
