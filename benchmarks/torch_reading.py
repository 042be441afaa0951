"""Whether weights that were trained in PyTorch read the same there and as a checkpoint or ONNX file.

    python benchmarks/torch_reading.py RUN/weights.safetensors words.ckpt words.onnx [--images 500] \\
        [--torch_python /path/to/python]

RUN is of benchmarks/torch_training.py, the other files are what `crnn convert weights --from_torch` and `crnn
export` made of its weights. All read the same rendered words, held out from training, in processes of their
own; PyTorch's scores are decoded here by themselves, the others' by the recogniser.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import Engines, cores, markdown_table, serve, torch_python
from crnn_mindspore.artifacts.artifact import METADATA_KEY, Artifact
from crnn_mindspore.artifacts.torch.safetensors_file import read_safetensors
from crnn_mindspore.synth.render import create_renderer
from crnn_mindspore.synth.render_loader import Ramp, render_images
from crnn_mindspore.tasks.ctc.charset_in import charset_in

_FIRST = 10**9  # number of the first image, far from those of any training
_BATCH = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Reads and compares; 0 if all texts are equal, else 1."""
    args = _parse(argv)
    if args.engine:
        read = _texts_of_torch if args.engine == "torch" else _texts_of_recognizer
        return serve(args.answer_fd, {"read": lambda file: read(file, Path(args.folder))})
    artifact = _artifact(args.weights)
    words = min(artifact.preprocessing.time_steps, 23)
    renderer = create_renderer(charset=charset_in(artifact), split="test", max_time_steps=words)
    with Engines() as engines:
        pixels, truths = render_images(renderer, artifact.preprocessing, Ramp(), _FIRST, args.images)
        np.save(engines.folder / "pixels.npy", pixels)
        truths = [artifact.codec.normalize(truth) for truth in truths]
        found: dict[str, list[str]] = {}
        for file in (args.weights, *args.models):
            is_torch = file == args.weights
            kind, python = ("torch", torch_python(args.torch_python)) if is_torch else ("own", sys.executable)
            fixed = [f"--engine={kind}", f"--folder={engines.folder}", args.weights]
            engines.start(file, [str(Path(__file__).resolve()), *fixed], python, cores())
            found[file] = engines[file].ask("read", file=str(Path(file).resolve()))["texts"]
    theirs, rows = found[args.weights], []
    for file, texts in found.items():
        equal = sum(text == other for text, other in zip(texts, theirs, strict=True))
        right = sum(text == truth for text, truth in zip(texts, truths, strict=True))
        rows.append([file, f"{equal} of {args.images}", f"{right}"])
    print(markdown_table(["weights", "texts equal to PyTorch's", "right"], rows))
    return 0 if all(texts == theirs for texts in found.values()) else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", help="weights.safetensors of a folder of torch_training.py")
    parser.add_argument("models", nargs="*", help=".ckpt, .mindir or .onnx files of the same weights")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--torch_python", default="", help="interpreter that has torch, if this one has not")
    parser.add_argument("--engine", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    parser.add_argument("--answer_fd", type=int, default=-1, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _artifact(weights: str) -> Artifact:
    _, texts = read_safetensors(Path(weights))
    return Artifact.from_json(texts[METADATA_KEY], weights)


def _texts_of_torch(file: str, folder: Path) -> dict[str, Any]:
    import torch

    from benchmarks.twin.states import WEIGHTS, read_pieces
    from benchmarks.twin.task import create_task
    from benchmarks.twin.training import Input
    from benchmarks.twin.update import tensors_of

    artifact = _artifact(file)
    network = create_task(artifact, SimpleNamespace(use_dropout=False)).create_network().eval()
    arrays, _ = read_pieces(Path(file).parent, WEIGHTS)
    for name, tensor in tensors_of(network).items():
        tensor.detach().copy_(torch.from_numpy(np.array(arrays[name], dtype=np.float32)))
    charset, to_input = charset_in(artifact), Input(artifact.preprocessing)
    texts = []
    for batch in torch.from_numpy(np.load(folder / "pixels.npy")).split(_BATCH):
        with torch.inference_mode():
            best = network(to_input(batch)).argmax(2).T.tolist()  # (T,N,K) -> (N,T)
        for path in best:
            ids = [i for i, _ in itertools.groupby(path) if i != charset.blank]
            texts.append("".join(charset.classes[i] for i in ids))
    return {"texts": texts}


def _texts_of_recognizer(file: str, folder: Path) -> dict[str, Any]:
    from crnn_mindspore.reading.recognizer import Recognizer
    from crnn_mindspore.text.decoding import Decoding

    recognizer = Recognizer.load(file, device_target="CPU", decoding=Decoding("greedy"))
    return {"texts": [reading.text for reading in recognizer(list(np.load(folder / "pixels.npy")))]}


if __name__ == "__main__":
    sys.exit(main())
