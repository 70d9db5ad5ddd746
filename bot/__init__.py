"""The process: composition, settings, command line, one adapter per platform."""
