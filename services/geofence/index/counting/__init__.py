"""Owns how people in an area are counted: by channel, by language, by town.
Consumes columns of the index.
Publishes nothing."""
