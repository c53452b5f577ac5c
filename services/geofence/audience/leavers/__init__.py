"""Owns the places that residents have left, for as long as an alert of that time can go live.
Consumes the steps that the roster takes.
Publishes nothing."""
