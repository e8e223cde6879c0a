"""Sentences with faults planted in them, to measure what the guard finds: ``manage.py benchmark guard``."""
