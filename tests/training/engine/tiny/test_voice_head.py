"""The voice's own task: right answers cost nothing, wrong ones as much as they are wrong."""

from __future__ import annotations

import pytest
import torch

from training.engine.tiny.voice_head import VoiceHead


@pytest.fixture
def head() -> VoiceHead:
    torch.manual_seed(0)
    embeddings = torch.nn.functional.normalize(torch.randn(3, 8), dim=1)
    return VoiceHead(["a", "b", "c"], torch.tensor([[-0.5], [0.0], [0.75]]), embeddings, 16)


def test_the_right_voice_costs_nothing_and_an_octave_is_twelve_semitones(head: VoiceHead, monkeypatch):
    heard = torch.randn(2, 80, 30)
    right = head.octaves[[2, 0]], head.embeddings[[2, 0]], heard.mean(2)
    monkeypatch.setattr(head, "forward", lambda style: right)
    loss, semitones = head.loss(torch.zeros(2, 32, 16), ["c", "a"], heard)
    assert float(loss) == pytest.approx(0, abs=1e-6)
    assert float(semitones) == 0
    monkeypatch.setattr(head, "forward", lambda style: (right[0] + 1, -right[1], right[2] - 1))
    loss, semitones = head.loss(torch.zeros(2, 32, 16), ["c", "a"], heard)
    assert float(semitones) == pytest.approx(12)
    assert float(loss) == pytest.approx(2 + 2 + 2)


def test_it_learns_to_read_voices_off_latents(head: VoiceHead):
    styles, heard = torch.randn(3, 32, 16), torch.randn(3, 80, 30)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        loss, _ = head.loss(styles, ["a", "b", "c"], heard)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
    assert not any(name in dict(head.named_parameters()) for name in ("octaves", "embeddings"))
