"""Owns: how what people enter is read: telephone numbers, e-mail addresses, languages, places.
Consumes: nothing.
Publishes: nothing."""
