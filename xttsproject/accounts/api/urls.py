from django.urls import path

from xttsproject.accounts.api.views import MeView

urlpatterns = [path("me/", MeView.as_view(), name="me")]
