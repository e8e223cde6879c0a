"""The tiny Whisper in training: transformers' network, heard through a short window that stands for the whole one.

Whisper always hears 3000 frames, most of them nothing. All that is nothing sounds the same after the convolutions and
differs by its position only, so a few of these positions, each counted as often as there are such positions, stand for
all of them: attention's sums keep their values up to sampling noise, at a fraction of the cost.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.engine.tiny.windows import ALPHABET, IGNORED, Batch
from xttsproject.bundles.tiny.whisper_spec import SIZES, Sizes
from xttsproject.bundles.tiny.whisper_tokens import TIMESTAMPS, Tokens

_TIME_SPREAD = 1.5
"""Timestamps are asked for with this deviation (in steps of 20 ms): neighbours are almost as right."""
_EDGE_POSITIONS = 1.5
"""How softly attention's target begins and ends."""


class Heard(NamedTuple):
    """``logits`` (batch, tokens, vocabulary); ``attention`` (batch, heads, tokens, positions) of the alignment heads;
    ``letters`` (positions, batch, alphabet) log-probabilities by the encoder alone.
    """

    logits: Tensor
    attention: Tensor
    letters: Tensor


class Listener(nn.Module):
    """``whisper`` is what is shipped; ``speller`` serves training only. ``silent_positions`` stand for all silence."""

    def __init__(self, tokens: Tokens, sizes: Sizes = SIZES):
        super().__init__()
        self.sizes, self.silent_positions = sizes, 16
        self.whisper: Any = whisper_network(tokens, sizes)
        self.speller = nn.Linear(sizes.width, len(ALPHABET) + 1)
        self._looks: dict[int, Tensor] = {}
        for number in sorted({layer for layer, _head in sizes.alignment_heads}):
            attention = self.whisper.model.decoder.layers[number].encoder_attn
            attention.register_forward_hook(
                lambda _module, _inputs, outputs, number=number: self._looks.__setitem__(number, outputs[1])
            )

    def encode(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (batch, mels, 2 n) to hidden states (batch, n + silent positions, width), and the logarithm of how
        often each position counts (1, 1, 1, n + silent positions).
        """
        encoder = self.whisper.model.encoder
        heard = features.shape[-1] // 2
        # Four positions more than were heard: the last but one has nothing on either side.
        hidden = functional.gelu(encoder.conv1(functional.pad(features, (0, 8))))
        hidden = functional.gelu(encoder.conv2(hidden)).transpose(1, 2)
        beyond = self.sizes.sound_positions - heard
        kept = min(self.silent_positions, beyond)
        edges = torch.arange(kept, device=features.device) / max(kept, 1)
        chosen = heard + ((edges + torch.rand(kept, device=features.device) / max(kept, 1)) * beyond).long()
        places = torch.cat([torch.arange(heard, device=features.device), chosen])
        silence = hidden[:, heard + 2 : heard + 3].expand(-1, kept, -1)
        hidden = torch.cat([hidden[:, :heard], silence], dim=1) + encoder.embed_positions.weight[places]
        counts = torch.zeros(heard + kept, device=features.device)
        counts[heard:] = torch.tensor(beyond / max(kept, 1)).log()
        counts = counts[None, None, None]
        for layer in encoder.layers:
            hidden = layer(hidden, counts)
        return encoder.layer_norm(hidden), counts

    def forward(self, features: Tensor, inputs: Tensor) -> Heard:
        decoder = self.whisper.model.decoder
        sound, counts = self.encode(features)
        length = inputs.shape[1]
        hidden = decoder.embed_tokens(inputs) + decoder.embed_positions.weight[:length]
        later = torch.full((length, length), -torch.inf, device=inputs.device).triu(1)[None, None]
        for layer in decoder.layers:
            hidden = layer(hidden, later, sound, counts, use_cache=False)
        logits = self.whisper.proj_out(decoder.layer_norm(hidden)).float()
        attention = torch.stack([self._looks[layer][:, head] for layer, head in self.sizes.alignment_heads], dim=1)
        self._looks.clear()
        letters = self.speller(sound[:, : features.shape[-1] // 2]).float().log_softmax(-1).transpose(0, 1)
        return Heard(logits, attention.float(), letters)


def whisper_network(tokens: Tokens, sizes: Sizes = SIZES) -> Any:
    """An untrained ``WhisperForConditionalGeneration`` of these sizes; its attention is computed plainly, so that its
    weights can be seen.
    """
    from transformers import WhisperConfig, WhisperForConditionalGeneration
    from transformers.models.whisper.modeling_whisper import sinusoids

    end = tokens.special_id("endoftext")
    network = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(tokens.all),
            num_mel_bins=sizes.mels,
            d_model=sizes.width,
            encoder_layers=sizes.encoder_layers,
            decoder_layers=sizes.decoder_layers,
            encoder_attention_heads=sizes.heads,
            decoder_attention_heads=sizes.heads,
            encoder_ffn_dim=4 * sizes.width,
            decoder_ffn_dim=4 * sizes.width,
            max_source_positions=sizes.sound_positions,
            max_target_positions=sizes.text_positions,
            init_std=0.7 * sizes.width**-0.5,
            decoder_start_token_id=tokens.special_id("startoftranscript"),
            bos_token_id=end,
            eos_token_id=end,
            pad_token_id=end,
            suppress_tokens=None,
            begin_suppress_tokens=None,
        )
    )
    network.set_attn_implementation("eager")
    with torch.no_grad():
        # Neighbouring places and times begin alike: what is learnt about one holds for those beside it.
        decoder = network.model.decoder
        decoder.embed_positions.weight.copy_(0.3 * sinusoids(sizes.text_positions, sizes.width))
        times = sinusoids(TIMESTAMPS, sizes.width, max_timescale=1500)
        first = tokens.first_timestamp
        decoder.embed_tokens.weight[first : first + TIMESTAMPS] = 0.08 * times
    network.model.encoder.embed_positions.weight.requires_grad_(False)
    return network


class Losses(NamedTuple):
    """Means per token, per token that has a place in the sound, per letter of the spelling, and per position."""

    text: Tensor
    place: Tensor
    letters: Tensor
    spoken: Tensor


def losses(heard: Heard, batch: Batch, tokens: Tokens) -> Losses:
    targets = batch.targets
    first = tokens.first_timestamp
    timed = targets >= first
    text = functional.cross_entropy(
        heard.logits.flatten(0, 1), targets.masked_fill(timed, IGNORED).flatten(), ignore_index=IGNORED, reduction="sum"
    )
    if timed.any():
        steps = torch.arange(TIMESTAMPS, device=targets.device)
        near = torch.exp(-0.5 * ((steps - (targets[timed] - first)[:, None]) / _TIME_SPREAD) ** 2)
        wanted = near / near.sum(-1, keepdim=True)
        text = text - (wanted * heard.logits[timed].log_softmax(-1)[:, first:]).sum()
    return Losses(
        text / (targets != IGNORED).sum(),
        _place_loss(heard.attention, batch.stretches),
        functional.ctc_loss(
            heard.letters, batch.spelling, batch.sounds, batch.spelled, reduction="sum", zero_infinity=True
        )
        / batch.spelled.sum().clamp(min=1),
        functional.nll_loss(heard.letters.transpose(0, 1).flatten(0, 1), batch.spoken.flatten()),
    )


def _place_loss(attention: Tensor, stretches: Tensor) -> Tensor:
    """Cross-entropy of the alignment heads' attention with an even look at each token's stretch of sound."""
    known = ~stretches.isnan().any(-1)
    starts, ends = stretches[known].unbind(-1)
    places = torch.arange(attention.shape[-1], device=attention.device) + 0.5
    soft = _EDGE_POSITIONS
    wanted = torch.sigmoid((places - starts[:, None]) / soft) - torch.sigmoid((places - ends[:, None]) / soft)
    # The positions beyond the heard ones stand for silence, whatever their number.
    wanted = wanted / wanted.sum(-1, keepdim=True).clamp(min=1e-6)
    looks = attention.transpose(1, 2)[known]
    return -(wanted[:, None] * (looks + 1e-6).log()).sum(-1).mean()


def place_error(attention: Tensor, stretches: Tensor) -> float:
    """Median distance, in positions, of where the heads look most from the middle of where they should."""
    known = ~stretches.isnan().any(-1)
    looked = attention.mean(1)[known].argmax(-1) + 0.5
    return float((looked - stretches[known].mean(-1)).abs().median())
