from django.urls import path
from rest_framework.routers import SimpleRouter

from voices.api.views import SpeechView, SynthesisViewSet, VoiceViewSet

router = SimpleRouter()
router.register("voices", VoiceViewSet, basename="voice")
router.register("syntheses", SynthesisViewSet, basename="synthesis")

urlpatterns = [path("speech/", SpeechView.as_view(), name="speech"), *router.urls]
