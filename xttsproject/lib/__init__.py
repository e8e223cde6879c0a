"""Plain helpers that know neither Django nor a model."""
