from voices.models.synthesis import Synthesis
from voices.models.voice import Voice, VoiceClip

__all__ = ["Synthesis", "Voice", "VoiceClip"]
