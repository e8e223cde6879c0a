from training.models.checkpoint import Checkpoint, EpochSample
from training.models.export import CheckpointExport
from training.models.preference import Preference
from training.models.run import TrainingRun
from training.models.scorecard import Scorecard
from training.models.sweep import Sweep

__all__ = ["Checkpoint", "CheckpointExport", "EpochSample", "Preference", "Scorecard", "Sweep", "TrainingRun"]
