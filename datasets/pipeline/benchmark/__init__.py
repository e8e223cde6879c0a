"""Measurements of the pipeline itself, for ``manage.py benchmark``."""
