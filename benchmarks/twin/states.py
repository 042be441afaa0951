"""A training on disk: averaged weights in half precision, and the rest of it in files of a bounded size."""

import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.twin.update import GUIDE, Updates, tensors_of
from crnn_mindspore.artifacts.artifact import METADATA_KEY, Artifact, hash_weights
from crnn_mindspore.artifacts.checkpoint_file import STATE_KEY, CheckpointFile
from crnn_mindspore.artifacts.torch.safetensors_file import ENDING, read_safetensors, write_safetensors
from crnn_mindspore.artifacts.torch.torch_names import our_names
from crnn_mindspore.errors import UserError

Arrays = Mapping[str, npt.NDArray[np.generic]]

WEIGHTS, STATE = "weights", "state"
_FACTS_KEY, _OPTIMIZER_KEY, _COUNT_KEY = "torch_training", "optimizer", "optimizer_updates"
_LARGEST_FILE = 16 * 2**20 - 50_000  # bytes
_PARAMETERS, _OPTIMIZER, _AVERAGES = "parameters.", "optimizer.", "averages."
# MindSpore's names of Adam's two moments.
_MOMENTS = {"moment1.": "exp_avg", "moment2.": "exp_avg_sq"}


@dataclass(frozen=True)
class Facts:
    """Where a training is.

    Attributes:
        updates: Made so far.
        rendered: Images rendered; the number of the next one.
        trained: Images that went through the network, repetitions included.
        seconds: Of all runs so far.
    """

    updates: int = 0
    rendered: int = 0
    trained: int = 0
    seconds: float = 0.0


def save(folder: Path, updates: Updates, artifact: Artifact, facts: Facts, most_bytes: int) -> list[Path]:
    """Writes the averaged weights, float16, and the pieces of the state; earlier files are replaced.

    The state is kept in float32 if all files together then have at most `most_bytes`, else without the
    averages, which are then those in float16, else the optimiser's part in bfloat16, else the parameters in
    float16 too, else without the guide; if that is not enough, the optimiser's part is left out.

    Returns:
        The files.
    """
    averages = _on_cpu(updates.averages or tensors_of(updates.network))
    halves = {name: array.astype(np.float16) for name, array in averages.items()}
    ours = our_names(halves)
    described = replace(
        artifact,
        step=facts.updates,
        precision="fp16",
        weights_sha256=hash_weights({ours[name]: array for name, array in halves.items()}),
    )
    size = sum(array.nbytes for array in halves.values())
    state = {_PARAMETERS + name: array for name, array in _on_cpu(tensors_of(updates.network)).items()}
    state |= {_OPTIMIZER + name: array for name, array in _on_cpu(_moments(updates)).items()}
    state |= {_AVERAGES + name: array for name, array in averages.items() if updates.averages}
    state |= _on_cpu({name: t for name, t in updates.trained.items() if name.startswith(GUIDE)})
    state, bfloat16 = _fitting(state, most_bytes - size - 200_000)
    texts = {METADATA_KEY: described.to_json(), _FACTS_KEY: json.dumps(asdict(facts)), "format": "pt"}
    texts |= {_OPTIMIZER_KEY: updates.recipe.optimizer, _COUNT_KEY: str(updates.count)}
    new = folder / ".new"
    shutil.rmtree(new, ignore_errors=True)
    names = [*write_pieces(new, WEIGHTS, halves, texts), *write_pieces(new, STATE, state, texts, bfloat16)]
    for path in set(folder.glob(f"*{ENDING}")) - {folder / name for name in names}:
        path.unlink()
    for name in names:  # all at once, as good as: a kill while writing leaves the old files
        os.replace(new / name, folder / name)
    new.rmdir()
    return [folder / name for name in names]


def _fitting(state: Arrays, most_bytes: int) -> tuple[dict[str, npt.NDArray[np.generic]], set[str]]:
    """The arrays to keep, and the names of those to keep as bfloat16."""
    bfloat16: set[str] = set()
    kept = dict(state)
    for attempt in range(6):
        if sum(a.nbytes // (2 if n in bfloat16 else 1) for n, a in kept.items()) <= most_bytes:
            break
        if attempt == 0:
            kept = {n: a for n, a in kept.items() if not n.startswith(_AVERAGES)}
        elif attempt == 1:
            bfloat16 = {name for name in kept if name.startswith(_OPTIMIZER)}
        elif attempt == 2:
            kept |= {n: a.astype(np.float16) for n, a in kept.items() if n.startswith(_PARAMETERS)}
        elif attempt == 3:
            kept = {name: array for name, array in kept.items() if GUIDE not in name}
            bfloat16 &= kept.keys()
        else:
            kept = {name: array for name, array in kept.items() if name not in bfloat16}
            bfloat16 = set()
    return kept, bfloat16


def write_pieces(
    folder: Path, stem: str, arrays: Arrays, texts: Mapping[str, str], bfloat16: Collection[str] = ()
) -> list[str]:
    """Divides arrays among as few files as their largest size allows; returns the files' names."""
    pieces: list[dict[str, npt.NDArray[np.generic]]] = []
    sizes: list[int] = []
    for name, array in sorted(arrays.items(), key=lambda item: -item[1].nbytes):
        size = array.nbytes // (2 if name in bfloat16 else 1) + 300
        place = next((i for i, used in enumerate(sizes) if used + size <= _LARGEST_FILE), len(pieces))
        if place == len(pieces):
            pieces.append({})
            sizes.append(0)
        pieces[place][name] = array
        sizes[place] += size
    names = [f"{stem}-{i}-of-{len(pieces)}{ENDING}" for i in range(1, len(pieces) + 1)]
    names = names if len(pieces) > 1 else [stem + ENDING]
    for name, piece in zip(names, pieces, strict=True):
        write_safetensors(folder / name, piece, texts, [n for n in piece if n in bfloat16])
    return names


def read_pieces(folder: Path, stem: str) -> tuple[dict[str, npt.NDArray[np.generic]], dict[str, str]]:
    """What `write_pieces` wrote.

    Raises:
        UserError: If a piece is missing, or they are not of one time.
    """
    paths = sorted(folder.glob(f"{stem}-*-of-*{ENDING}")) or [folder / (stem + ENDING)]
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    texts: list[dict[str, str]] = []
    for path in paths:
        piece, its_texts = read_safetensors(path)
        arrays |= piece
        texts.append(its_texts)
    count = paths[0].stem.rpartition("-of-")[2]
    if any(t != texts[0] for t in texts) or (count.isdigit() and int(count) != len(paths)):
        raise UserError(f"{folder}: the {len(paths)} files of {stem} are not one whole")
    return arrays, texts[0]


def restore(folder: Path, updates: Updates, artifact: Artifact) -> Facts:
    """Puts back what `save` wrote; parts that it left out start anew, which is printed, as is a new guide.

    Raises:
        UserError: If there is no whole state, or it is of another network.
    """
    state, texts = read_pieces(folder, STATE)
    weights, _ = read_pieces(folder, WEIGHTS)
    Artifact.from_json(texts[METADATA_KEY], str(folder)).check_same_model(artifact, str(folder))
    facts = Facts(**json.loads(texts[_FACTS_KEY]))
    _fill(tensors_of(updates.network), _under(state, _PARAMETERS), str(folder))
    if updates.averages:
        _fill(updates.averages, _under(state, _AVERAGES) or weights, str(folder))
        updates.age = facts.updates
    is_same = _family(texts[_OPTIMIZER_KEY]) == _family(updates.recipe.optimizer)
    moments = _under(state, _OPTIMIZER) if is_same else {}
    updates.count = int(texts.get(_COUNT_KEY, facts.updates)) if moments else 0
    _set_moments(updates, moments)
    guide = ""
    if updates.guide is not None:
        if kept := _under(state, GUIDE):
            _fill(dict(updates.guide.named_parameters()), kept, str(folder))
        guide = f"; guide {'kept' if kept else 'new'}"
    print(f"resumed from {folder}: {facts}; optimiser {'kept' if moments else 'new'}{guide}", flush=True)
    return facts


def start_from(checkpoint: CheckpointFile, updates: Updates, origin: str, is_resumed: bool) -> Facts:
    """Loads a checkpoint of this project into a network of its sizes.

    Args:
        checkpoint: With the averaged weights under the network's names and the trained ones under `raw.`.
        updates: Filled.
        origin: The checkpoint's path, for messages.
        is_resumed: Go on with its training: the trained weights, the averages, Adam's state; otherwise start
            anew from its weights.
    """
    names = {ours: name for name, ours in our_names(tensors_of(updates.network)).items()}
    weights = {names.get(name, name): array for name, array in checkpoint.weights.items()}
    trained = _renamed(_under(checkpoint.others, "raw."), names) if is_resumed else {}
    _fill(tensors_of(updates.network), trained or weights, origin)
    updates.restart_average()
    if not is_resumed:
        return Facts()
    state = json.loads(checkpoint.texts.get(STATE_KEY, "{}"))
    step, images = int(state.get("step", 0)), int(state.get("images_seen", 0))
    if trained and updates.averages:
        _fill(updates.averages, weights, origin)
        updates.age = step
    stored = _under(checkpoint.others, _OPTIMIZER)
    moments = {
        f"{kind}.{name}": array
        for prefix, kind in _MOMENTS.items()
        for name, array in _renamed(_under(stored, prefix), names).items()
    }
    has_adam = bool(moments) and _family(updates.recipe.optimizer) == "adam"
    if has_adam:
        updates.count = int(stored["global_step"][0])
        _set_moments(updates, moments)
    print(f"resumed from {origin} at step {step}; optimiser {'kept' if has_adam else 'new'}", flush=True)
    return Facts(step, images, images)


def _family(optimizer: str) -> str:
    """Optimisers of one family go on with each other's state."""
    return "adam" if optimizer in ("adam", "adamw", "radam") else optimizer


def _moments(updates: Updates) -> dict[str, torch.Tensor]:
    """What the optimiser knows of each parameter: kind.name -> tensor."""
    state = updates.optimizer.state
    return {
        f"{kind}.{name}": value
        for name, parameter in updates.trained.items()
        for kind, value in state.get(parameter, {}).items()
        if isinstance(value, torch.Tensor) and value.shape == parameter.shape
    }


def _set_moments(updates: Updates, moments: Arrays) -> None:
    for key, array in moments.items():
        kind, _, name = key.partition(".")
        if name.startswith(GUIDE) and name not in updates.trained:
            continue  # the training goes on without its guide
        parameter = updates.trained[name]
        state = updates.optimizer.state[parameter]
        state[kind] = torch.from_numpy(np.array(array, dtype=np.float32)).to(
            parameter.device, memory_format=_layout_of(parameter)
        )
        is_fused = updates.optimizer.defaults.get("fused")
        device = parameter.device if is_fused else "cpu"
        state["step"] = torch.tensor(float(updates.count), device=device)


def _layout_of(tensor: torch.Tensor) -> torch.memory_format:
    is_last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if is_last else torch.contiguous_format


def _fill(targets: Mapping[str, torch.Tensor], arrays: Arrays, origin: str) -> None:
    """Copies arrays into tensors of the same names.

    Raises:
        UserError: If one is missing, left over, or of another shape.
    """
    missing, unknown = targets.keys() - arrays.keys(), arrays.keys() - targets.keys()
    if missing or unknown:
        raise UserError(f"{origin}: other parameters: missing {sorted(missing)[:3]}, "
                        f"unknown {sorted(unknown)[:3]}")  # fmt: skip
    for name, target in targets.items():
        if tuple(target.shape) != arrays[name].shape:
            raise UserError(f"{origin}: {name} has shape {arrays[name].shape}, not {tuple(target.shape)}")
        with torch.no_grad():
            target.copy_(torch.from_numpy(np.array(arrays[name], dtype=np.float32)))


def _on_cpu(tensors: Mapping[str, torch.Tensor]) -> dict[str, npt.NDArray[np.float32]]:
    return {name: t.detach().float().cpu().contiguous().numpy() for name, t in tensors.items()}


def _under(arrays: Arrays, prefix: str) -> dict[str, npt.NDArray[np.generic]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _renamed(arrays: Arrays, names: Mapping[str, str]) -> dict[str, npt.NDArray[np.generic]]:
    return {names.get(name, name): array for name, array in arrays.items()}


def sizes(paths: Iterable[Path]) -> str:
    """`4 files, 36.1 MiB`."""
    found = [path.stat().st_size for path in paths]
    return f"{len(found)} files, {sum(found) / 2**20:.1f} MiB"
