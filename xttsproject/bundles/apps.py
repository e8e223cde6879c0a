"""Makes ``manage.py models`` known to Django."""

from django.apps import AppConfig


class BundlesConfig(AppConfig):
    name = "xttsproject.bundles"
    label = "bundles"
    verbose_name = "Model bundles"
