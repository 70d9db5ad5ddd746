"""Discord: interactions off the gateway, translated for the one dispatcher, answered over REST, and its supervisor."""
