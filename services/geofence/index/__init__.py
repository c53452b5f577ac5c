"""Owns where residents are: the roster's place tables and the exact index in memory.
Consumes subscriber.place.changed, without a group, to keep the index as fresh as the topic.
Publishes nothing."""
