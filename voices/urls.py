from django.urls import path

from voices.views import decoding, health, lexicon, profiles, speech, voices

app_name = "voices"
urlpatterns = [
    path("readyz", health.readyz, name="readyz"),
    path("voices/", voices.voice_list, name="voice-list"),
    path("voices/add/", voices.voice_add, name="voice-add"),
    path("voices/add/clips/", voices.clip_choice, name="clip-choice"),
    path("voices/<uuid:pk>/", voices.voice_detail, name="voice-detail"),
    path("voices/<uuid:pk>/share/", voices.share, name="voice-share"),
    path("voices/<uuid:pk>/profile/", voices.use_profile, name="voice-profile"),
    path("voices/<uuid:pk>/prepare/", voices.prepare_again, name="voice-prepare"),
    path("voices/<uuid:pk>/delete/", voices.delete_voice, name="voice-delete"),
    path("voices/<uuid:pk>/clips/<int:index>/audio/", voices.clip_audio, name="clip-audio"),
    path("voices/<uuid:pk>/settings/", decoding.settings_page, name="voice-settings"),
    path("voices/<uuid:pk>/settings/forget/", decoding.forget, name="voice-settings-forget"),
    path("voices/searches/<uuid:pk>/cancel/", decoding.cancel, name="search-cancel"),
    path("voices/searches/<uuid:pk>/delete/", decoding.delete, name="search-delete"),
    path("voices/candidates/<int:pk>/use/", decoding.use, name="candidate-use"),
    path("voices/candidates/<int:pk>/<int:number>/audio/", decoding.audio, name="candidate-audio"),
    path("speak/", speech.speak, name="speak"),
    path("speak/plan/", speech.plan, name="speech-plan"),
    path("profiles/", profiles.profiles, name="profiles"),
    path("profiles/<uuid:pk>/", profiles.edit, name="profile-edit"),
    path("profiles/<uuid:pk>/copy/", profiles.copy, name="profile-copy"),
    path("profiles/<uuid:pk>/delete/", profiles.delete, name="profile-delete"),
    path("lexicon/", lexicon.lexicon, name="lexicon"),
    path("lexicon/import/", lexicon.import_table, name="lexicon-import"),
    path("lexicon/export/", lexicon.export_table, name="lexicon-export"),
    path("lexicon/try/", lexicon.try_sentence, name="lexicon-try"),
    path("lexicon/<int:pk>/", lexicon.edit, name="lexicon-edit"),
    path("lexicon/<int:pk>/delete/", lexicon.delete, name="lexicon-delete"),
    path("speak/<uuid:pk>/audio/", speech.synthesis_audio, name="synthesis-audio"),
    path("speak/<uuid:pk>/subtitles/", speech.synthesis_subtitles, name="synthesis-subtitles"),
    path("speak/<uuid:pk>/delete/", speech.delete_synthesis, name="synthesis-delete"),
]
