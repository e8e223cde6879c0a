"""Training beside Coqui's ``GPTTrainer`` on the same model and clips: ``manage.py benchmark training``.

``material`` makes model and clips; ``theirs`` and ``ours`` are one measurement each, in a process of its own; and
``compare`` runs them in turn and puts their figures side by side.
"""
