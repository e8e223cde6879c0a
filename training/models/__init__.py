from training.models.checkpoint import Checkpoint, EpochSample
from training.models.export import CheckpointExport
from training.models.preference import Preference
from training.models.run import TrainingRun

__all__ = ["Checkpoint", "CheckpointExport", "EpochSample", "Preference", "TrainingRun"]
