"""Checkpoint → voice → speech."""
