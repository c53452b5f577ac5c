"""Owns: what residents do with their own data: sign up, confirm, change, export, leave.
Consumes: HTTP requests of the public and of residents.
Publishes: nothing by itself; the rooms codes and roster do."""
