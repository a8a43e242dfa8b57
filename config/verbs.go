package config

// Verbs are the commands that there are, as policy.verbs names them: the types
// of the schemas without what all have in common.
func Verbs() []string {
	return []string{
		"group.create", "group.dismiss", "group.handle_request", "group.invite", "group.join", "group.modify",
		"group.modify_member", "group.quit", "group.remove_member", "group.transfer",
		"message.mark_read", "message.modify", "message.revoke", "message.send", "message.send_read_receipt",
		"profile.modify", "status.set",
	}
}
