from rest_framework.routers import SimpleRouter

from training.api.comparing import ComparisonViewSet
from training.api.sweeps import SweepViewSet
from training.api.views import CheckpointViewSet, EpochSampleViewSet, TrainingRunViewSet

router = SimpleRouter()
router.register("training-runs", TrainingRunViewSet, basename="training-run")
router.register("checkpoints", CheckpointViewSet, basename="checkpoint")
router.register("epoch-samples", EpochSampleViewSet, basename="epoch-sample")
router.register("comparisons", ComparisonViewSet, basename="comparison")
router.register("sweeps", SweepViewSet, basename="sweep")

urlpatterns = router.urls
