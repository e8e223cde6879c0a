"""Fine-tuning of XTTS's GPT in a process of its own: no Django, no settings, only a spec and paths.

``spec``, ``events`` and ``launch`` import no ML library, so the portal may use them; everything else belongs to
the process that ``python -m training.engine SPEC.json`` starts.
"""
