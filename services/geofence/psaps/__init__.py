"""Owns the directory of 9-1-1 centres: boundaries, numbers, ring-through tests, coverage checks.
Consumes the psap and evacuation zone layers, and which alerts are live.
Publishes nothing."""
