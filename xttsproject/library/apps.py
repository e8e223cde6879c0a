from django.apps import AppConfig


class LibraryConfig(AppConfig):
    name = "xttsproject.library"
    label = "library"
    verbose_name = "Models"
