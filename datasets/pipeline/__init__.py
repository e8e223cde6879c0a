"""The work behind a dataset, without Django: fetch, decode, segment, transcribe, measure, freeze.

Modules take paths and frozen dataclasses and return dataclasses; heavy libraries are imported inside functions, so
importing any module of this package is cheap.
"""
