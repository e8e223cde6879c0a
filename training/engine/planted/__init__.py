"""Clips with defects planted in them, to measure what screening finds: ``manage.py benchmark screening``.

It stands on this side because the speech comes from the tiny models' corpus; screening itself is of ``datasets``.
"""
