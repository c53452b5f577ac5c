"""The dispatcher: staff, alerts, CAP, contact cards, deliveries, receipts and reports."""
