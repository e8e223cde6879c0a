from django.urls import path
from rest_framework.routers import SimpleRouter

from voices.api.decoding import DecodingSearchViewSet
from voices.api.languages import LanguagesView
from voices.api.lexicon import LexiconViewSet
from voices.api.planning import SpeechPlanView
from voices.api.profiles import QualityProfileViewSet
from voices.api.syntheses import SynthesisViewSet
from voices.api.views import SpeechView, VoiceViewSet

router = SimpleRouter()
router.register("voices", VoiceViewSet, basename="voice")
router.register("syntheses", SynthesisViewSet, basename="synthesis")
router.register("lexicon", LexiconViewSet, basename="lexicon")
router.register("profiles", QualityProfileViewSet, basename="profile")
router.register("decoding-searches", DecodingSearchViewSet, basename="decoding-search")

urlpatterns = [
    path("languages/", LanguagesView.as_view(), name="languages"),
    path("speech/", SpeechView.as_view(), name="speech"),
    path("speech/plan/", SpeechPlanView.as_view(), name="speech-plan"),
    *router.urls,
]
