from django.urls import path

from voices.api import openai
from voices.api.transcriptions import TranscriptionView, TranslationView

urlpatterns = [
    path("audio/speech", openai.OpenAISpeechView.as_view(), name="openai-speech"),
    path("audio/voices", openai.OpenAIVoicesView.as_view(), name="openai-voices"),
    path("audio/transcriptions", TranscriptionView.as_view(), name="openai-transcriptions"),
    path("audio/translations", TranslationView.as_view(), name="openai-translations"),
    path("models", openai.OpenAIModelsView.as_view(), name="openai-models"),
    path("models/<str:name>", openai.OpenAIModelView.as_view(), name="openai-model"),
]
