"""Owns the process apart in which files from outside are parsed.
Consumes a job and a file's bytes.
Publishes nothing."""
