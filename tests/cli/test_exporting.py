"""`export`: what is said of the file, and what is refused."""

from __future__ import annotations

from pathlib import Path

import torch

import ebmkit


def test_a_run_is_exported(cli, trained) -> None:
    for name in ("energy.pt2", "energy.safetensors")[torch.__version__ < (2, 9) :]:  # torch 2.8 writes no .pt2
        answer = cli("export", trained, "--out", name)
        assert answer.status == 0, answer.err
        first = f"{name}: E(x) [B] in nats of x [B, 2], unbounded, after 4 steps."
        assert answer.out.startswith(first) and "T = 1." in answer.out and "ebmkit.load_energy" in answer.out
        assert ("torch.export.load" in answer.out) == name.endswith("pt2")
        energy, x = ebmkit.load_energy(name), torch.randn(3, 2)
        torch.testing.assert_close(energy(x), ebmkit.load(trained).energy(x), rtol=1e-5, atol=1e-5)


def test_what_cannot_be_exported_is_told(cli, trained) -> None:
    cli("export", trained, "--out", "energy.onnx").refuses("must end in .pt2 or .safetensors")
    cli("export", trained, "--out", "gone/energy.pt2").refuses("there is no folder gone")
    cli("export", "gone", "--out", "energy.pt2").refuses("gone holds no run")
    cli("export", "pretrained:gone", "--out", "energy.pt2").refuses("No run 'gone' comes with ebmkit")
    cli("export", trained, "--given", "label=3", "--out", "energy.pt2").refuses("this run can be given nothing")
    assert not list(Path.cwd().glob("energy*"))
