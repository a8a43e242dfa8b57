package mapping

import "strings"

const commandWord = "command."

// Verb is the type of a command in short: "message.send" for [TypeCommandSend].
func Verb(eventType string) string { return strings.TrimPrefix(ShortName(eventType), commandWord) }
