from rest_framework.routers import SimpleRouter

from xttsproject.library.api.views import BundleViewSet, ModelImportViewSet

router = SimpleRouter()
# Before the models themselves, none of which may be called so.
router.register("models/import", ModelImportViewSet, basename="model-import")
router.register("models", BundleViewSet, basename="model")

urlpatterns = router.urls
