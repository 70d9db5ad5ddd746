"""Every command and use case, written once, platform-neutral."""
