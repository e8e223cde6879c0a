"""The portal's addresses."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from xttsproject import views
from xttsproject.library.views import bundle_list

urlpatterns = [
    path("", views.home, name="home"),
    path("models/", bundle_list, name="models"),
    path("models/", include("xttsproject.library.urls")),
    path("healthz", views.healthz, name="healthz"),
    path("profile/", include("xttsproject.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("jobs/", include("xttsproject.jobs.urls")),
    path("", include("datasets.urls")),
    path("", include("training.urls")),
    path("", include("voices.urls")),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="api-docs"),
    path("api/v1/", include("xttsproject.accounts.api.urls")),
    path("api/v1/", include("xttsproject.jobs.api.urls")),
    path("api/v1/", include("datasets.api.urls")),
    path("api/v1/", include("training.api.urls")),
    path("api/v1/", include("voices.api.urls")),
    path("api/v1/", include("xttsproject.library.api.urls")),
    path("v1/", include("voices.api.openai_urls")),
    path("metrics", views.metrics, name="metrics"),
]

handler404 = views.not_found
handler500 = views.server_error
