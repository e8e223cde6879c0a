"""What spans rows, files and the engine, on the voices side."""

from voices.services.clips import Clip, Upload, checkpoint_clips, segment_clips, upload_clips, uploads_of
from voices.services.decoding import (
    decoding_cancel,
    decoding_create,
    decoding_delete,
    decoding_forget,
    decoding_table,
    decoding_use,
)
from voices.services.guarding import voice_guard
from voices.services.lexicon import (
    lexicon_add,
    lexicon_delete,
    lexicon_import,
    lexicon_table,
    lexicon_update,
)
from voices.services.lookup import voice_find
from voices.services.preparation import voice_prepare, voice_prepare_again
from voices.services.previewing import script_preview
from voices.services.profiles import (
    profile_asked,
    profile_checked,
    profile_copy,
    profile_delete,
    profile_find,
    profile_sampling,
    profile_spoken_with,
    profile_update,
    voice_use_profile,
)
from voices.services.scripts import pauses_of, script_plan
from voices.services.speech import speech_make, synthesis_delete, synthesis_pin
from voices.services.streams import SpeechStream, speech_stream
from voices.services.studio import studio_offered
from voices.services.voices import voice_create, voice_delete, voice_share

__all__ = [
    "Clip",
    "SpeechStream",
    "Upload",
    "checkpoint_clips",
    "decoding_cancel",
    "decoding_create",
    "decoding_delete",
    "decoding_forget",
    "decoding_table",
    "decoding_use",
    "lexicon_add",
    "lexicon_delete",
    "lexicon_import",
    "lexicon_table",
    "lexicon_update",
    "pauses_of",
    "profile_asked",
    "profile_checked",
    "profile_copy",
    "profile_delete",
    "profile_find",
    "profile_sampling",
    "profile_spoken_with",
    "profile_update",
    "script_plan",
    "script_preview",
    "segment_clips",
    "speech_make",
    "speech_stream",
    "studio_offered",
    "synthesis_delete",
    "synthesis_pin",
    "upload_clips",
    "uploads_of",
    "voice_create",
    "voice_delete",
    "voice_find",
    "voice_guard",
    "voice_prepare",
    "voice_prepare_again",
    "voice_share",
    "voice_use_profile",
]
