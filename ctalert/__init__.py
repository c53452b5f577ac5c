"""Owns: the command line and the embedded default (servers, keys, passwords of one checkout).
Consumes: the roles of every service, to start them; their APIs, to show the main job.
Publishes: the commands of `ctl help`.
"""
