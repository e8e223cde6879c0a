from django.urls import path

from xttsproject.library import views

app_name = "library"
urlpatterns = [
    path("import/", views.import_add, name="import-add"),
    path("imports/<uuid:pk>/", views.import_detail, name="import-detail"),
    path("imports/<uuid:pk>/delete/", views.import_delete, name="import-delete"),
    path("<str:name>/delete/", views.delete_bundle, name="bundle-delete"),
]
