"""Screening: what is measured of each clip, and what a policy makes of it. Every verdict carries its reasons.

``sound``, ``transcript``, ``likeness`` and ``duplicates`` measure; ``policy`` holds the thresholds and judges;
``catalogue`` says in words what each measure is. docs/DATASETS.md has the formulas and sources.
"""
