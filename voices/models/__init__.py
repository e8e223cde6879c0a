from voices.models.lexicon import LexiconEntry
from voices.models.synthesis import Synthesis
from voices.models.voice import Voice, VoiceClip

__all__ = ["LexiconEntry", "Synthesis", "Voice", "VoiceClip"]
