package kafka

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Retention tells how long the topics keep what they have, in a sentence for
// people. ctx should have a deadline.
func (b *Bus) Retention(ctx context.Context) (string, error) {
	names := b.topicNames()
	settings, err := b.settings(ctx, names, configRetention, configRetentionBytes)
	if err != nil {
		return "", err
	}
	var said []string
	for _, name := range names {
		text, err := kept(settings[name])
		if err != nil {
			return "", fmt.Errorf("topic %q: %w", name, err)
		}
		said = append(said, name+" "+text)
	}
	return "messages are kept: " + strings.Join(said, ", "), nil
}

// kept says how long a topic with these settings keeps messages.
func kept(settings map[string]string) (string, error) {
	ms, err := strconv.ParseInt(settings[configRetention], 10, 64)
	if err != nil {
		return "", fmt.Errorf("the brokers do not tell its %s", configRetention)
	}
	const day = 24 * time.Hour
	text := ""
	switch d := time.Duration(ms) * time.Millisecond; {
	case ms < 0, ms > int64(100*365*day/time.Millisecond):
		text = "for ever"
	case d%day == 0 && d > 0:
		text = fmt.Sprintf("%dd", d/day)
	default:
		text = d.String()
	}
	if size, err := strconv.ParseInt(settings[configRetentionBytes], 10, 64); err == nil && size >= 0 {
		text += fmt.Sprintf(", or %d bytes of a partition", size)
	}
	return text, nil
}
