"""Owns: keys and what is done with them: sealing, keyed hashes, signatures, tokens, masking.

Consumes: the keyring file of one service. Publishes: nothing.
"""
