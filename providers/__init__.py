"""Streaming services over HTTP: one shared client with narrow doors, and one module or folder per service."""
