"""Parameter names: ours and those of a network in PyTorch whose modules are called like ours.

They differ in batch norm alone. Nothing but Python is needed here.
"""

from collections.abc import Collection

# Last part of the names in batch norm: ours -> PyTorch's.
_BATCH_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_OURS = {theirs: ours for ours, theirs in _BATCH_NORM.items()}
COUNTER = "num_batches_tracked"  # PyTorch's batch norm counts its updates; ours does not


def torch_name(name: str) -> str:
    """Our parameter name -> PyTorch's."""
    head, _, last = name.rpartition(".")
    return f"{head}.{_BATCH_NORM.get(last, last)}"


def our_names(names: Collection[str]) -> dict[str, str]:
    """PyTorch's parameter names -> ours; all of a network, for it is the others that tell batch norm."""
    norms = {name.removesuffix(".running_mean") for name in names if name.endswith(".running_mean")}
    found = {}
    for name in names:
        head, _, last = name.rpartition(".")
        found[name] = f"{head}.{_OURS.get(last, last)}" if head in norms else name
    return found
