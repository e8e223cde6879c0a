"""The recipe of the tiny models: synthetic speech, training of every part, measurement, shipping.

``python -m training.engine.tiny`` runs it; the portal never does. It uses what the portal uses to load, to speak and to
train, so that a model that passes its gates passes them as users will hear it.
"""
