from voices.models.decoding import Candidate, DecodingSearch
from voices.models.idempotency import IdempotentRequest
from voices.models.lexicon import LexiconEntry
from voices.models.profile import QualityProfile
from voices.models.sentence import SynthesisSentence
from voices.models.synthesis import Synthesis
from voices.models.voice import Voice, VoiceClip

__all__ = [
    "Candidate",
    "DecodingSearch",
    "IdempotentRequest",
    "LexiconEntry",
    "QualityProfile",
    "Synthesis",
    "SynthesisSentence",
    "Voice",
    "VoiceClip",
]
