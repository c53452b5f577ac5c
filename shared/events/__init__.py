"""Owns: the events that travel between services, their envelope, their topics and their examples.
Consumes: nothing.
Publishes: nothing; shared/bus carries what is built here."""
