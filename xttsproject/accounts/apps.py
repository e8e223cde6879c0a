from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "xttsproject.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from xttsproject.accounts.groups import ensure_groups

        # Without a sender: permissions of the other apps exist only once those have migrated.
        post_migrate.connect(ensure_groups, dispatch_uid="accounts.ensure_groups")
