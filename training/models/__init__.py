from training.models.checkpoint import Checkpoint, EpochSample
from training.models.run import TrainingRun

__all__ = ["Checkpoint", "EpochSample", "TrainingRun"]
