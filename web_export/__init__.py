"""The site: pages, JSON API, downloads."""
