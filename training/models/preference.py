"""A blind comparison of two samples by one person."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from training.choices import Vote
from training.models.checkpoint import EpochSample
from training.models.run import TrainingRun
from training.querysets import PreferenceQuerySet


class Preference(models.Model):
    """A pair of samples of one sentence that was dealt to a person, and the vote once it is given.

    Which of the two is played first is drawn when the pair is dealt and stands in this row alone: addresses carry its
    own key, and nothing that is sent to the person names the samples before the vote.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="preferences")
    voter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences")
    # The base model comes before the epochs, averages after them: a pair has one row per person.
    earlier = models.ForeignKey(EpochSample, on_delete=models.CASCADE, related_name="+")
    later = models.ForeignKey(EpochSample, on_delete=models.CASCADE, related_name="+")
    later_first = models.BooleanField(help_text="The later epoch's sample was played as 1.")
    vote = models.CharField(max_length=1, choices=Vote.choices, blank=True)
    dealt_at = models.DateTimeField(auto_now_add=True)
    voted_at = models.DateTimeField(null=True, blank=True)

    objects = PreferenceQuerySet.as_manager()

    class Meta:
        ordering = ("-voted_at",)
        constraints = [
            models.UniqueConstraint(fields=("voter", "earlier", "later"), name="one_preference_per_pair_and_person"),
        ]

    def __str__(self) -> str:
        return f"A comparison of “{self.run}”"

    def settle(self, vote: Vote) -> bool:
        """Give the vote. False where it was given before: the first one stands."""
        mine = Preference.objects.filter(pk=self.pk, vote="")
        settled = bool(mine.update(vote=vote, voted_at=timezone.now()))
        self.refresh_from_db()
        return settled

    def sample(self, place: Vote | str) -> EpochSample:
        """What is played as "1" or "2"."""
        return self.later if (place == Vote.FIRST) == self.later_first else self.earlier

    @property
    def is_open(self) -> bool:
        return not self.vote

    @property
    def text(self) -> str:
        return self.earlier.text

    @property
    def winner(self) -> EpochSample | None:
        """The preferred sample; None for a tie and before the vote."""
        return None if self.vote in ("", Vote.EQUAL) else self.sample(self.vote)
