from django.apps import AppConfig


class BundlesConfig(AppConfig):
    name = "xttsproject.bundles"
    label = "bundles"
    verbose_name = "Models"
