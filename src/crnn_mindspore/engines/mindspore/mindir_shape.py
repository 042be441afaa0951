"""The shape of images that a MINDIR takes, as its file says."""

from pathlib import Path


def input_shape(path: str) -> tuple[int, int, int, int]:
    """(N, C, H, W) of a MINDIR's input; 0 where any size will do, or where the file says nothing."""
    from mindspore.train.mind_ir_pb2 import ModelProto

    model = ModelProto()
    model.ParseFromString(Path(path).read_bytes())
    for given in model.graph.input:
        for tensor in given.tensor:
            if len(tensor.dims) == 4:
                n, c, h, w = (max(0, int(size)) for size in tensor.dims)
                return n, c, h, w
    return 0, 0, 0, 0
