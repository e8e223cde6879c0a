"""The losses are those of Coqui's forward pass, but for the masking, which here hits what it should."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.engine.material import made_up_clips, own_references, small_gpt
from training.engine.losses import IGNORED, Batch, collate, forward_losses, misled

STOP = 33


def a_batch(folder: Path, *, masked: bool, start: int = 20, frames: int = 40) -> Batch:
    clips, features = made_up_clips(folder, (1.3, 2.1, 1.7))
    return collate([0, 1, 2], own_references([0, 1, 2], frames, start), clips, features, STOP, mask_references=masked)


def test_without_masking_both_losses_equal_coquis(tmp_path: Path) -> None:
    gpt, batch = small_gpt(), a_batch(tmp_path, masked=False)
    text, mel = forward_losses(gpt, batch)
    theirs_text, theirs_mel, _ = gpt(
        batch.text, batch.text_lengths, batch.codes.clone(), batch.wav_lengths, cond_mels=batch.cond_mels
    )
    assert float(text) == pytest.approx(float(theirs_text), abs=1e-6)
    assert float(mel) == pytest.approx(float(theirs_mel), abs=1e-6)
    # An untrained model guesses among 34 codes and 30 tokens.
    assert 3.0 < float(mel) < 4.5
    assert 2.5 < float(text) < 4.5


def test_every_clip_is_masked_where_its_reference_covers_its_codes(tmp_path: Path) -> None:
    plain, masked = a_batch(tmp_path, masked=False), a_batch(tmp_path, masked=True)
    for row in range(3):
        changed = (plain.mel_targets[row] != masked.mel_targets[row]).nonzero().flatten().tolist()
        # Frames 20 to 60 of 256 samples are the codes 5 to 15 of 1 024.
        assert changed == list(range(5, 15))
        assert (masked.mel_targets[row, 5:15] == IGNORED).all()


def test_a_reference_from_another_clip_masks_nothing(tmp_path: Path) -> None:
    clips, features = made_up_clips(tmp_path, (1.3, 2.1))
    batch = collate([0], own_references([1], 40), clips, features, STOP, mask_references=True)
    assert (batch.mel_targets[0, : clips[0].codes] == features[0].codes[: clips[0].codes]).all()


def test_masked_codes_do_not_count(tmp_path: Path) -> None:
    gpt, batch = small_gpt(), a_batch(tmp_path, masked=True)
    _, mel = forward_losses(gpt, batch)
    logits = gpt(batch.text, batch.text_lengths, batch.codes.clone(), batch.wav_lengths, cond_mels=batch.cond_mels)[2]
    probabilities = logits.log_softmax(1)
    picked = [
        -probabilities[row, batch.mel_targets[row, place], place]
        for row in range(3)
        for place in range(batch.mel_targets.shape[1])
        if batch.mel_targets[row, place] != IGNORED
    ]
    assert float(mel) == pytest.approx(float(torch.stack(picked).mean()), abs=1e-5)


def test_padding_does_not_change_what_a_clip_is_asked(tmp_path: Path) -> None:
    clips, features = made_up_clips(tmp_path, (1.3, 2.1))
    alone = collate([0], own_references([0], 40), clips, features, STOP, mask_references=False)
    together = collate([0, 1], own_references([0, 1], 40), clips, features, STOP, mask_references=False)
    length = clips[0].codes
    assert (together.mel_targets[0, : length + 4] == alone.mel_targets[0, : length + 4]).all()
    assert (alone.mel_targets[0, length : length + 4] == STOP).all()
    assert (together.mel_targets[0, length + 4 :] == IGNORED).all()


def test_a_stretch_of_mel_is_read_as_it_was_kept(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    _, features = made_up_clips(tmp_path, (1.3,))
    whole = load_file(features[0].path)["mel"]
    assert torch.equal(features[0].mel(7, 11), whole[7:18].T)


def test_a_share_of_the_codes_read_is_false_and_of_the_batch_itself() -> None:
    torch.manual_seed(0)
    codes = torch.arange(400).view(4, 100)
    assert misled(codes, 0.0) is codes
    read = misled(codes, 0.3)
    assert 0.2 < (read != codes).float().mean() < 0.4
    assert torch.isin(read, codes).all()
    assert (codes == torch.arange(400).view(4, 100)).all(), "what is expected stays true"
