"""Twitch: EventSub over the sockets of a conduit, translated for the one dispatcher, and its supervisor."""
