"""Owns ways to say an area other than drawing it: files, lists of addresses, saved areas.
Consumes the address layer and the grammar of areas.
Publishes nothing; answers with shapes of that grammar."""
