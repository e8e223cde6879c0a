from rest_framework import serializers

from xttsproject.jobs.models import Job


class JobSerializer(serializers.ModelSerializer[Job]):
    """Where a piece of long work is."""

    elapsed_seconds = serializers.SerializerMethodField()
    remaining_seconds = serializers.SerializerMethodField()
    queue_position = serializers.IntegerField(read_only=True, allow_null=True)

    class Meta:
        model = Job
        fields = (
            "id",
            "kind",
            "queue",
            "title",
            "state",
            "progress",
            "message",
            "error_code",
            "error",
            "result",
            "subject_type",
            "subject_id",
            "attempt",
            "queue_position",
            "elapsed_seconds",
            "remaining_seconds",
            "created_at",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields

    def get_elapsed_seconds(self, job: Job) -> float | None:
        return job.elapsed.total_seconds() if job.elapsed else None

    def get_remaining_seconds(self, job: Job) -> float | None:
        return job.remaining.total_seconds() if job.remaining else None
