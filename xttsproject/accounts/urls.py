from django.urls import path

from xttsproject.accounts import views

app_name = "accounts"
urlpatterns = [
    path("", views.profile, name="profile"),
    path("tokens/", views.create_token, name="token-create"),
    path("tokens/<str:key>/withdraw/", views.withdraw_token, name="token-withdraw"),
]
