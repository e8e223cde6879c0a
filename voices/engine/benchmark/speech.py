"""``manage.py benchmark speech``: the released architecture beside Coqui's own code, in turn, in one process."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from voices.engine.benchmark.contenders import CHUNK, Coqui, Ours, Spent
from voices.engine.benchmark.limits import Limits, least_seconds, probe
from voices.engine.benchmark.loading import measure_loading
from voices.engine.benchmark.model import Size, build_random
from voices.engine.benchmark.quality import Quality, decibels
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.config import XttsConfig, read_config
from xttsproject.xtts.engine import XttsEngine, choose_device
from xttsproject.xtts.limits import MODEL_RATE, SAMPLES_PER_CODE
from xttsproject.xtts.loop import Utterance
from xttsproject.xtts.projections import Precision, resolve_precision
from xttsproject.xtts.sampling import Draw

TEXTS = (
    "The harbour lay quiet, and only one lamp burned at the end of the pier.",
    "Nobody had told the new clerk that the archive closed at noon on Fridays.",
    "When the rain stopped, the whole street smelled of wet stone and bread.",
    "Her grandfather kept bees behind the church and never wore any gloves.",
    "The last bus had gone, so they walked the seven miles along the canal.",
    "A letter came in March, without a stamp, addressed to the former owner.",
    "He counted the steps to the tower twice and got two different numbers.",
    "In the morning the ice had drawn ferns on every window of the cottage.",
)
"""Eight sentences of one text; alike in length, so that none holds the others up on either side."""


@dataclass(frozen=True)
class Wish:
    """``codes`` for each sentence (21.5 are a second); ``rounds`` how often each short measure is taken,
    ``long_rounds`` how often that of eight sentences, ``loads`` how often a process loads the model; ``parity`` greedy
    codes are compared at first; ``graphs``: on a GPU our steps are recorded, and the recording is no part of what is
    measured."""

    work: Path
    size: Size = "full"
    codes: int = 100
    rounds: int = 3
    long_rounds: int = 1
    loads: int = 9
    parity: int = 12
    precisions: tuple[Precision, ...] = ("fp32", "bf16", "fp16", "int8")
    device: str = "cpu"
    threads: int | None = None
    graphs: bool = True

    def __post_init__(self) -> None:
        if not CHUNK < self.codes <= 600:
            raise DomainError(
                "codes_invalid", f"--codes is {self.codes}, but must be from {CHUNK + 1} to 600.", field="codes"
            )
        for field in ("rounds", "long_rounds", "loads"):
            if getattr(self, field) < 1:
                option = "--" + field.replace("_", "-")
                raise DomainError(
                    f"{field}_invalid", f"{option} is {getattr(self, field)}, but must be at least 1.", field=field
                )
        # Before gigabytes are written for it.
        device = choose_device(self.device)
        for precision in self.precisions:
            resolve_precision(precision, device)


@dataclass(frozen=True)
class Measured:
    """Coqui's seconds for each of ours in turn, medians of the rounds, by precision and measure."""

    ratios: dict[Precision, dict[str, float]]
    cpu_ratios: dict[Precision, dict[str, float]]
    seconds: dict[str, dict[str, float]]
    rtf: dict[Precision, float]
    shares: dict[Precision, float]


def measure(wish: Wish, quality: dict[Precision, Quality], log: Callable[[str], None]) -> dict[str, Any]:
    """``quality`` says which precisions may be recommended; the fastest of them gives the figures."""
    if wish.threads:
        torch.set_num_threads(wish.threads)
    wish.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="speech-", dir=wish.work) as name:
        begun = time.perf_counter()
        bundle = build_random(Path(name), wish.size)
        log(f"built a model of random weights in {time.perf_counter() - begun:.0f} s")
        config = read_config(bundle)
        ours = {}
        for precision in wish.precisions:
            begun = time.perf_counter()
            engine = XttsEngine.load(bundle, device=wish.device, precision=precision, graphs=wish.graphs)
            ours[precision] = Ours(engine)
            log(f"loaded {precision} in {time.perf_counter() - begun:.1f} s")
        device = next(iter(ours.values())).engine.device
        coqui = Coqui(bundle, config, device)
        recording = "steps are recorded as CUDA graphs" if ours[wish.precisions[0]].records else "no step is recorded"
        log(f"{torch.get_num_threads()} threads on {device}; {recording}; {wish.codes} codes a sentence")
        parity = _parity(wish, coqui, ours, _voices(config), log)
        limits = probe(list(wish.precisions), device)
        log(
            f"memory gives {limits.bandwidth / 1e9:.1f} GB/s; products: "
            + ", ".join(f"{each} {flops / 1e12:.2f} TFLOP/s" for each, flops in limits.flops.items())
        )
        losses = _losses(ours, _voices(config), wish.codes, log)
        measured = _Bout(wish, config, coqui, ours, limits, log).fight()
        best = recommended(measured, quality)
        recorded = all(side.still_records for side in ours.values())
        del coqui, ours
        loading = {}
        if device.type == "cpu":
            threads = torch.get_num_threads()
            loading = measure_loading(bundle, best, Path(name, "packed"), threads, wish.loads, log).figures()
    tell(measured, log)
    return {
        **{name: round(value, 2) for name, value in measured.ratios[best].items()},
        "rtf_eight_sentences": round(measured.rtf[best], 3),
        "precision": best,
        "share_of_limit": round(measured.shares[best], 3),
        "of_the_processor": {name: round(value, 2) for name, value in measured.cpu_ratios[best].items()},
        "precisions": {
            each: {
                **{name: round(value, 2) for name, value in measured.ratios[each].items()},
                "rtf_eight_sentences": round(measured.rtf[each], 3),
                "share_of_limit": round(measured.shares[each], 3),
                "of_the_processor": {name: round(value, 2) for name, value in measured.cpu_ratios[each].items()},
                **losses.get(each, {}),
                **({"quality": quality[each].figures()} if each in quality else {}),
            }
            for each in wish.precisions
        },
        "seconds": {
            who: {name: round(value, 4) for name, value in spent.items()} for who, spent in measured.seconds.items()
        },
        "loading": loading,
        "equal_greedy_codes": parity,
        "threads": torch.get_num_threads(),
        "recorded_steps": recorded,
        "codes": wish.codes,
    }


def recommended(measured: Measured, quality: dict[Precision, Quality]) -> Precision:
    """The fastest with eight sentences of those whose cost is known and small; float32 costs nothing."""
    allowed: list[Precision] = [
        each
        for each in measured.ratios
        if each == "fp32" or (each in quality and quality[each].good_enough(quality["fp32"]))
    ]
    # Where none may be recommended the first one measured stands for itself.
    return max(allowed or list(measured.ratios), key=lambda each: measured.ratios[each]["eight_sentences"])


def _parity(
    wish: Wish, coqui: Coqui, ours: dict[Precision, Ours], voices: Sequence[Conditioning], log: Callable[[str], None]
) -> dict[str, int]:
    """How many greedy codes equal Coqui's before the first that does not, out of ``wish.parity``."""
    found = {}
    for precision, side in ours.items():
        tokens = side.tokens(TEXTS[0])
        expected = coqui.greedy(tokens, voices[0], wish.parity)
        got = side.greedy(tokens, voices[0], wish.parity)
        equal = [one == other for one, other in zip(expected, got, strict=True)]
        found[precision] = equal.index(False) if False in equal else len(equal)
    log(f"greedy codes equal to Coqui's, of {wish.parity}: {found}")
    return {str(precision): count for precision, count in found.items()}


def _losses(
    ours: dict[Precision, Ours], voices: Sequence[Conditioning], codes: int, log: Callable[[str], None]
) -> dict[Precision, dict[str, float]]:
    """How far each precision's latents, and its sound of the same latents, lie below float32's, in decibels; of codes
    that float32 drew. Nothing where float32 is not among them."""
    exact = ours.get("fp32")
    if exact is None:
        return {}
    utterance = Utterance(exact.tokens(TEXTS[0]), voices[0].gpt_latents, codes, 0, Draw())
    [spoken] = exact.engine.gpt.decode([utterance])
    expected = exact.engine.gpt.follow(utterance, spoken.codes)
    sound = exact.engine.render(expected, voices[0])
    found = {}
    for precision, side in ours.items():
        if side is exact:
            continue
        followed = side.engine.gpt.follow(utterance, spoken.codes)
        found[precision] = {
            "latents_db": round(decibels([(expected.cpu().numpy(), followed.cpu().numpy())]), 1),
            "sound_db": round(decibels([(sound, side.engine.render(expected, voices[0]))]), 1),
        }
    log(f"differences from fp32 lie below it by, in decibels: {found}")
    return found


def _voices(config: XttsConfig) -> list[Conditioning]:
    """Of each sentence its own."""
    generator = torch.Generator().manual_seed(5)
    speakers = torch.randn(len(TEXTS), 1, config.speaker_width, 1, generator=generator)
    latents = torch.randn(len(TEXTS), 1, 32, config.gpt.width, generator=generator)
    return [Conditioning(latent, speaker / speaker.norm()) for latent, speaker in zip(latents, speakers, strict=True)]


class _Bout:
    """Both sides take each measure one after the other, so that what else the machine does falls on both."""

    def __init__(
        self,
        wish: Wish,
        config: XttsConfig,
        coqui: Coqui,
        ours: dict[Precision, Ours],
        limits: Limits,
        log: Callable[[str], None],
    ):
        self._wish, self._config, self._coqui, self._ours = wish, config, coqui, ours
        self._limits, self._log = limits, log
        self._voices = _voices(config)
        self._device = next(iter(ours.values())).engine.device

    def fight(self) -> Measured:
        wish, voices = self._wish, self._voices
        one = TEXTS[:1], voices[:1], wish.codes
        self._warm_up()
        decoding: dict[Precision, list[float]] = {each: [] for each in self._ours}

        def single(side: Ours, precision: Precision) -> None:
            side.speak(*one)
            decoding[precision].append(side.decoding)

        rounds: dict[str, list[dict[str, Spent]]] = {
            "single": [
                self._turn(lambda: self._coqui.speak(*one), single, f"one sentence, round {number + 1}")
                for number in range(wish.rounds)
            ],
            "first_chunk": [
                self._turn(
                    lambda: self._coqui.first_chunk(TEXTS[0], voices[0], 10 * CHUNK),
                    lambda side, _: side.first_chunk(TEXTS[0], voices[0]),
                    f"first chunk, round {number + 1}",
                )
                for number in range(wish.rounds)
            ],
            "eight_sentences": [],
            "eight_users": [],
        }
        self._unrecorded(*one)
        for number in range(wish.long_rounds):
            # Coqui serves eight users as it speaks eight sentences: one call after the other. One run is both.
            spent = self._turn(
                lambda: self._coqui.speak(TEXTS, voices, wish.codes),
                lambda side, _: side.speak(TEXTS, voices[:1] * len(TEXTS), wish.codes),
                f"eight sentences, round {number + 1}",
            )
            users = self._turn(
                None,
                lambda side, _: side.users(TEXTS, voices, wish.codes),
                f"eight users, round {number + 1}",
            )
            rounds["eight_sentences"].append(spent)
            rounds["eight_users"].append({"coqui": spent["coqui"], **users})
        return self._judge(rounds, decoding)

    def _unrecorded(self, texts: Sequence[str], voices: Sequence[Conditioning], codes: int) -> None:
        """What recording gains one sentence; to be read, and no part of the figures."""
        for precision, side in self._ours.items():
            if side.still_records:
                plain = Ours(side.engine, record=False)
                without, recorded = (
                    Spent.on(partial(each.speak, texts, voices, codes), self._device) for each in (plain, side)
                )
                self._log(f"one sentence in {precision}: {recorded.wall:.2f} s recorded, {without.wall:.2f} s not")

    def _judge(self, rounds: dict[str, list[dict[str, Spent]]], decoding: dict[Precision, list[float]]) -> Measured:
        def compared(precision: Precision, field: str) -> dict[str, float]:
            ratios = {}
            for name, turns in rounds.items():
                each = [getattr(turn["coqui"], field) / getattr(turn[precision], field) for turn in turns]
                # Of a chunk the issue is the share of Coqui's time, of the others how many times as fast.
                median = statistics.median(each)
                ratios["first_chunk_ratio" if name == "first_chunk" else name] = (
                    1 / median if name == "first_chunk" else median
                )
            return ratios

        sound = len(TEXTS) * self._wish.codes * SAMPLES_PER_CODE / MODEL_RATE
        seconds: dict[str, dict[str, float]] = {}
        for name, turns in rounds.items():
            for who in turns[0]:
                seconds.setdefault(who, {})[name] = statistics.median(turn[who].wall for turn in turns)
        tokens = len(next(iter(self._ours.values())).tokens(TEXTS[0]))
        shares: dict[Precision, float] = {
            precision: least_seconds(
                self._limits,
                self._config.gpt,
                precision,
                rows=1,
                tokens=tokens,
                codes=self._wish.codes,
                cpu=self._device.type == "cpu",
            )
            / statistics.median(decoding[precision])
            for precision in self._ours
        }
        return Measured(
            ratios={each: compared(each, "wall") for each in self._ours},
            cpu_ratios={each: compared(each, "cpu") for each in self._ours},
            seconds=seconds,
            rtf={each: seconds[each]["eight_sentences"] / sound for each in self._ours},
            shares=shares,
        )

    def _warm_up(self) -> None:
        few = TEXTS[:1], self._voices[:1], CHUNK + 1
        [theirs] = self._coqui.speak(*few)
        # A stream has code and sizes of its own, which are not to be met for the first time while the clock runs.
        self._coqui.first_chunk(TEXTS[0], self._voices[0], 10 * CHUNK)
        for precision, side in self._ours.items():
            [own] = side.speak(*few)
            if len(own) != len(theirs):
                raise DomainError(
                    "benchmark_unequal",
                    f"Of {CHUNK + 1} codes Coqui's code made {len(theirs)} samples and ours in {precision} {len(own)}: "
                    "what differs in length is not compared.",
                )
            side.first_chunk(TEXTS[0], self._voices[0])
            if side.records:
                # Every kind of step that will be measured, in a cache as large as it will be.
                side.users(TEXTS, self._voices, self._wish.codes)
                side.speak(TEXTS, self._voices, self._wish.codes)
                side.speak(TEXTS[:1], self._voices[:1], self._wish.codes)
                side.first_chunk(TEXTS[0], self._voices[0])

    def _turn(
        self, coqui: Callable[[], object] | None, ours: Callable[[Ours, Precision], object], what: str
    ) -> dict[str, Spent]:
        spent = {"coqui": Spent.on(coqui, self._device)} if coqui is not None else {}
        for precision, side in self._ours.items():

            def work(side: Ours = side, precision: Precision = precision) -> None:
                ours(side, precision)

            spent[precision] = Spent.on(work, self._device)
        self._log(f"{what}: " + ", ".join(f"{who} {each.wall:.2f} s" for who, each in spent.items()))
        return spent


def tell(measured: Measured, log: Callable[[str], None]) -> None:
    """The table."""
    names = next(iter(measured.ratios.values()))
    log("precision  " + "  ".join(names) + "  rtf  share of the limit")
    for precision, ratios in measured.ratios.items():
        row = "  ".join(f"{ratios[name]:{len(name)}.2f}" for name in names)
        log(f"{precision:9}  {row}  {measured.rtf[precision]:.2f}  {measured.shares[precision]:.0%}")
