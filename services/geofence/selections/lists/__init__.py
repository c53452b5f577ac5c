"""Owns how lists of addresses, streets and files are read into shapes of an area.
Consumes the address layer and the readers of files.
Publishes nothing; keeps nothing of what it reads."""
