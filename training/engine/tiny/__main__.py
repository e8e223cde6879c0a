"""``python -m training.engine.tiny``: make the tiny models, stage by stage.

Each stage leaves its results and a report in its own folder; a stage that has a report is not run again, and one that
was killed goes on where it last saved.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

from xttsproject.lib.errors import DomainError

STAGES = (
    "speech", "features", "dvae", "speaker", "whisper", "style", "gpt", "decoder_mel", "decoder", "ship", "gates",
    "report",
)  # fmt: skip
"""In this order; every stage is a module beside this one with a function ``run(workshop)``, or names its function."""

_FUNCTIONS = {"decoder_mel": ("decoder", "run_mel")}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.engine.tiny", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("var/tiny"), help="folder of all intermediate results")
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0 takes all")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the steps of every stage")
    parser.add_argument(
        "stages", nargs="*", metavar="stage", help=f"all of them, unless some are named: {', '.join(STAGES)}"
    )
    chosen = parser.parse_args()
    unknown = [stage for stage in chosen.stages if stage not in STAGES]
    if unknown:
        parser.error(f"there is no stage {unknown[0]!r}; the stages are {', '.join(STAGES)}")

    from training.engine.tiny.recipe import Workshop, with_allocator

    with_allocator(["-m", "training.engine.tiny", *sys.argv[1:]])
    import torch

    device = ("cuda" if torch.cuda.is_available() else "cpu") if chosen.device == "auto" else chosen.device
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    workshop = Workshop(chosen.work, torch.get_num_threads(), torch.device(device), chosen.scale)
    for stage in chosen.stages or STAGES:
        if workshop.finished(stage):
            workshop.log(f"{stage}: done before")
            continue
        begun = time.monotonic()
        module, function = _FUNCTIONS.get(stage, (stage, "run"))
        try:
            getattr(importlib.import_module(f"training.engine.tiny.{module}"), function)(workshop)
        except DomainError as error:
            sys.stderr.write(f"{stage}: {error.message}\n")
            return 2
        except KeyboardInterrupt:
            sys.stderr.write(f"{stage}: stopped; the same command goes on from where it last saved.\n")
            return 130
        workshop.log(f"{stage}: {(time.monotonic() - begun) / 60:.1f} min")
    return 0


if __name__ == "__main__":
    sys.exit(main())
