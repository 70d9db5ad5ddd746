"""One file per streaming service; the first arrive with recorded moments."""
