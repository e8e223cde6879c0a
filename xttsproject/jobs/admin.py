from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from xttsproject.jobs.models import Job


@admin.register(Job)
class JobAdmin(ModelAdmin):
    """For looking only: a job's state is changed by its own methods."""

    list_display = ("title", "kind", "queue", "state", "progress", "owner", "attempt", "created_at", "finished_at")
    list_filter = ("state", "queue", "kind", "unexpected")
    search_fields = ("title", "error", "owner__username")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        # What is under way is cancelled first; its subject would wait for a job that is gone.
        return super().has_delete_permission(request, obj) and not (obj and obj.is_active)

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False
