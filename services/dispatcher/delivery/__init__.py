"""Owns: broadcasts (an alert version's texts), notices, deliveries, attempts, chunks of requests.
Consumes: notice.requested, delivery.*.
Publishes: delivery.*, contact.reported."""
