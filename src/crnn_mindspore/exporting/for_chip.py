"""A model for Ascend 310 or 310P: ONNX and MINDIR of one size, and how to convert them there.

Source: MindSpore Lite's Ascend conversion tool,
https://www.mindspore.cn/lite/docs/en/master/mindir/converter_tool_ascend.html: a fixed size is given on the
command line, precision in the configuration, whose default is enforce_fp16. ATC's options,
https://www.hiascend.com/document/detail/en/canncommercial/850/devaids/atctool/atlasatcparam_16_0029.html and
the pages beside it; ATC takes an LSTM from ONNX of opset 8 to 16.
"""

from dataclasses import dataclass
from pathlib import Path

from crnn_mindspore.artifacts.artifact import Artifact, description_path
from crnn_mindspore.artifacts.onnx_pieces import INPUT_NAME
from crnn_mindspore.engines.backend import LITE_ENDING
from crnn_mindspore.engines.mindspore.network_backend import MindSporeBackend
from crnn_mindspore.exporting.export import OnnxSize, export_model, of_width
from crnn_mindspore.text_file import write_text

OPSET = 16

# Name of the option -> what ATC calls the chip. 310P comes as several; `npu-smi info` names it.
_SOC = {"ascend310": "Ascend310", "ascend310p": "Ascend310P3"}
# ATC's page on --soc_version lists the 310 (Atlas 200/300/500 inference products) up to CANN
# 8.2.RC1.alpha003, no longer in 8.3.RC1; 8.5.0 has no operators for it.
# Source: .../CANNCommunityEdition/82RC1alpha003/devaids/atctool/atlasatcparam_16_0035.html, and of 83RC1.
_NOTES = {"ascend310": "CANN must be 8.2.RC1 or older: later ones have no Ascend 310"}


@dataclass(frozen=True)
class ChipFiles:
    """What was written for a chip.

    Attributes:
        onnx: ONNX of opset 16 and one size, its description in its metadata.
        mindir: MINDIR of the same size, its description beside it.
        configuration: For converter_lite.
        commands: That make a model of either of them, a line each.
        note: What else the machine needs that they run on; "" if nothing.
    """

    onnx: Path
    mindir: Path
    configuration: Path
    commands: tuple[str, ...]
    note: str = ""


def export_for(
    backend: MindSporeBackend, file_name: str, chip: str, device_target: str, size: OnnxSize
) -> ChipFiles:
    """Writes the files of a checkpoint for a chip; each appears whole or not at all.

    Args:
        backend: From `load_checkpoint_backend`, with fixed shapes.
        file_name: Without an ending.
        chip: ascend310 or ascend310p.
        device_target: The device that MindSpore runs on.
        size: Batch and width, both above 0.

    Raises:
        UserError: If a file cannot be written.
    """
    stem = file_name.removesuffix(".onnx").removesuffix(".mindir")
    onnx = export_model(backend, stem, "ONNX", device_target, size=size, opset=OPSET)
    mindir = export_model(backend, stem, "MINDIR", device_target, size=size)
    configuration = Path(f"{stem}.{chip}.cfg")
    write_text(configuration, _configuration())
    described = of_width(backend.artifact, size.width)
    write_text(description_path(stem + LITE_ENDING), described.to_json(indent=2))
    return ChipFiles(
        onnx,
        mindir,
        configuration,
        _commands(stem, chip, backend.artifact, size, configuration),
        _NOTES.get(chip, ""),
    )


def _configuration() -> str:
    # The default, enforce_fp16, computes everything in half precision.
    return "[ascend_context]\ninput_format=NCHW\nprecision_mode=preferred_fp32\n"


def _commands(
    stem: str, chip: str, artifact: Artifact, size: OnnxSize, configuration: Path
) -> tuple[str, ...]:
    image = artifact.preprocessing
    sizes = f"{INPUT_NAME}:{size.batch},{image.channels},{image.height},{size.width}"
    lite = (stem + LITE_ENDING).removesuffix(".mindir")
    return (
        f'converter_lite --fmk=ONNX --modelFile={stem}.onnx --outputFile={lite} --inputShape="{sizes}" '
        f"--optimize=ascend_oriented --configFile={configuration}",
        f'atc --framework=5 --model={stem}.onnx --output={stem} --input_format=ND --input_shape="{sizes}" '
        f"--soc_version={_SOC[chip]} --precision_mode=allow_fp32_to_fp16 --log=error",
    )
