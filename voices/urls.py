from django.urls import path

from voices.views import health, speech, voices

app_name = "voices"
urlpatterns = [
    path("readyz", health.readyz, name="readyz"),
    path("voices/", voices.voice_list, name="voice-list"),
    path("voices/add/", voices.voice_add, name="voice-add"),
    path("voices/add/clips/", voices.clip_choice, name="clip-choice"),
    path("voices/<uuid:pk>/", voices.voice_detail, name="voice-detail"),
    path("voices/<uuid:pk>/share/", voices.share, name="voice-share"),
    path("voices/<uuid:pk>/prepare/", voices.prepare_again, name="voice-prepare"),
    path("voices/<uuid:pk>/delete/", voices.delete_voice, name="voice-delete"),
    path("voices/<uuid:pk>/clips/<int:index>/audio/", voices.clip_audio, name="clip-audio"),
    path("speak/", speech.speak, name="speak"),
    path("speak/<uuid:pk>/audio/", speech.synthesis_audio, name="synthesis-audio"),
    path("speak/<uuid:pk>/delete/", speech.delete_synthesis, name="synthesis-delete"),
]
