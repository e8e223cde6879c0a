from training.services.averaging import KIND as AVERAGE
from training.services.averaging import average_create, average_ended, average_make
from training.services.comparing import (
    Outcome,
    PairResult,
    Standing,
    Turn,
    comparison_next,
    comparison_outcome,
    comparison_vote,
    comparison_wav,
)
from training.services.contenders import Contender, contender_of, contenders_heard
from training.services.curves import Curves, run_curves
from training.services.execution import run_execute
from training.services.exporting import export_create, export_delete, export_ended, export_problem, export_write
from training.services.ingest import run_ingest_events
from training.services.keeping import checkpoint_gone, checkpoint_pin, checkpoint_require, checkpoint_verify
from training.services.pruning import checkpoints_prune
from training.services.recommending import Recommendation, run_recommendation
from training.services.runs import (
    Preflight,
    run_cancel,
    run_create,
    run_delete,
    run_ended,
    run_log_tail,
    run_may_retry,
    run_preflight,
    run_resume,
    trainer_require,
)
from training.services.scoreboard import Scoreboard, run_scoreboard
from training.services.scoring import Scoring, run_score, scoring_follow, scoring_may_retry, scoring_start
from training.services.spec import RunValues, values_of
from training.services.sweeps import (
    run_train_longer,
    sweep_cancel,
    sweep_create,
    sweep_delete,
    sweep_draw,
    sweep_ended,
    sweep_go_on,
    sweep_may_retry,
    sweeps_resume,
    trial_ended,
    trial_follow,
)
from training.services.sweepspace import Search, SweepPreflight, sweep_preflight
from training.services.trials import Trial, sweep_curves, sweep_remaining, sweep_spent, sweep_trials
from training.services.usable import texts_known, texts_require

__all__ = [
    "AVERAGE",
    "Contender",
    "Curves",
    "Outcome",
    "PairResult",
    "Preflight",
    "Recommendation",
    "RunValues",
    "Scoreboard",
    "Scoring",
    "Search",
    "Standing",
    "SweepPreflight",
    "Trial",
    "Turn",
    "average_create",
    "average_ended",
    "average_make",
    "checkpoint_gone",
    "checkpoint_pin",
    "checkpoint_require",
    "checkpoint_verify",
    "checkpoints_prune",
    "comparison_next",
    "comparison_outcome",
    "comparison_vote",
    "comparison_wav",
    "contender_of",
    "contenders_heard",
    "export_create",
    "export_delete",
    "export_ended",
    "export_problem",
    "export_write",
    "run_cancel",
    "run_create",
    "run_curves",
    "run_delete",
    "run_ended",
    "run_execute",
    "run_ingest_events",
    "run_log_tail",
    "run_may_retry",
    "run_preflight",
    "run_recommendation",
    "run_resume",
    "run_score",
    "run_scoreboard",
    "run_train_longer",
    "scoring_follow",
    "scoring_may_retry",
    "scoring_start",
    "sweep_cancel",
    "sweep_create",
    "sweep_curves",
    "sweep_delete",
    "sweep_draw",
    "sweep_ended",
    "sweep_go_on",
    "sweep_may_retry",
    "sweep_preflight",
    "sweep_remaining",
    "sweep_spent",
    "sweep_trials",
    "sweeps_resume",
    "texts_known",
    "texts_require",
    "trainer_require",
    "trial_ended",
    "trial_follow",
    "values_of",
]
