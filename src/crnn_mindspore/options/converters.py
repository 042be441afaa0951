"""The options of `crnn convert` and `crnn prune`."""

from typing import Annotated, Literal

from pydantic import Field

from crnn_mindspore.options.base import Argument, Flag, Number, Options, PathText, Text, Whole


class OutputOptions(Options):
    """Output."""

    output_dir: Annotated[PathText, Argument("-o")] = Field("./processed", description="folder to write to")
    lmdb: Flag = Field(False, description="make OUTPUT_DIR an LMDB instead")
    allow_outside: Flag = Field(
        False, description="read images also behind symbolic links that lead out of their folder"
    )


class AnnotationOptions(OutputOptions):
    """Output."""

    output_annotation: Annotated[PathText, Argument("-a")] = Field(
        "annotation.txt",
        description="a further copy of the annotation, which is always written to OUTPUT_DIR/annotation.txt; "
        "a bare name lies in OUTPUT_DIR",
    )


class Ic03Options(AnnotationOptions):
    """Options of `crnn convert ic03`."""

    dataset_dir: Annotated[PathText, Argument("-d")] = Field(
        "./", description="folder the image names are relative to"
    )
    xml_file: Annotated[PathText, Argument("-x")] = Field("words.xml", description="words.xml or word.xml")


class IcdarOptions(AnnotationOptions):
    """Options of `crnn convert ic13` and `ic15`."""

    dataset_dir: Annotated[PathText, Argument("-d")] = Field("./", description="folder of the images")
    ground_truth: Annotated[PathText, Argument("-g")] = Field(
        "", description="gt.txt of word images, or folder of the scenes' gt_*.txt; empty: DATASET_DIR/gt.txt"
    )


class Iiit5kOptions(AnnotationOptions):
    """Options of `crnn convert iiit5k`."""

    mat_file: Annotated[PathText, Argument("-m")] = Field("testdata.mat", description="the annotation")
    dataset_dir: Annotated[PathText, Argument("-d")] = Field(
        "", description="folder of the images; empty: that of the .mat file"
    )


class SvtOptions(OutputOptions):
    """Options of `crnn convert svt`."""

    dataset_dir: Annotated[PathText, Argument("-d")] = Field(
        "./", description="folder the image names are relative to"
    )
    xml_file: Annotated[PathText, Argument("-x")] = Field("test.xml", description="train.xml or test.xml")


class LmdbOptions(Options):
    """Options of `crnn convert lmdb`."""

    dataset: Annotated[Text, Argument("-n")] = Field(
        description="name of the data set or its layout, or folder:PATTERN"
    )
    dataset_path: Annotated[PathText, Argument("-d")] = Field(description="its folder")
    split: Annotated[Text, Argument("-s")] = Field(
        "train", description="train, test or val, where it has them"
    )
    output_dir: Annotated[PathText, Argument("-o")] = Field(description="the LMDB or the folder to write")
    to: Literal["lmdb", "folder"] = Field("lmdb", description="what to write")
    lexicon: Text = Field("", description="lexicon to keep: 50, 1000 or full")
    keep_unreadable: Flag = Field(False, description="copy images without decoding them")
    allow_outside: Flag = Field(
        False, description="read images also behind symbolic links that lead out of their folder"
    )


class WeightsOptions(Options):
    """Options of `crnn convert weights`."""

    ckpt_file: PathText = Field("", description="the model zoo's checkpoint; with to_torch any")
    from_torch: PathText = Field("", description="in its place, weights of PyTorch, .safetensors or .pth")
    output: PathText = Field("", description="the checkpoint to write, .ckpt; empty: beside FROM_TORCH")
    to_torch: PathText = Field("", description="in its place, the file for PyTorch to write, .safetensors")
    task: Text = Field(
        "words", description="for a model of a kind of your own: the module, which may then be imported"
    )
    label_dict: Text = Field(
        "abcdefghijklmnopqrstuvwxyz0123456789",
        description="the alphabet it was trained with, or a .txt file of it; of another project's network "
        "that project's usual one, if it has as many classes",
    )
    with_space: Flag = Field(False, description="appends a space to the alphabet where it has none")
    image_width: Whole = Field(
        100, description="pixels it was trained with; of another project's network as it usually has them"
    )
    blank: Literal["first", "last"] = Field(
        "first", description="another project's network: which class is the blank"
    )
    image_colours: Literal["auto", "BGR", "RGB", "GREY"] = Field(
        "auto", description="the same: channels of its input; auto: GREY of one, RGB of three"
    )
    image_resize: Literal["auto", "nearest", "linear", "area", "cubic", "pillow-linear", "pillow-cubic"] = (
        Field("auto", description="the same: how images were made smaller; auto: as the project does it")
    )
    image_mean: Number = Field(127.5, description="the same: subtracted from each value, 0 to 255")
    image_std: Number = Field(127.5, description="the same: divides each value")
    leaky_slope: Number = Field(0.0, ge=0, lt=1, description="the same: slope of LeakyReLU below 0; 0: ReLU")


class PruneOptions(Options):
    """Options of `crnn prune`."""

    ckpt_file: PathText = Field(
        "", description="the checkpoint, best trained with --gamma_l1; a folder or pretrained as for reading"
    )
    output: PathText = Field("", description="the checkpoint of the smaller network to write, .ckpt")
    prune_share: Number = Field(
        0.3, gt=0, lt=1, description="share of all channels to cut, those with the smallest gamma"
    )
    prune_least: Whole = Field(8, ge=1, description="channels that a layer keeps at least")
    prune_layer_share: Number = Field(
        0.75, gt=0, le=1, description="share of the channels of one layer to cut at most"
    )
    prune_multiple: Whole = Field(
        8, ge=1, description="a layer keeps a multiple of so many, which computes faster than odd numbers"
    )
    masked: PathText = Field(
        "",
        description="also write the original with gamma and beta of the cut channels at 0, .ckpt, to compare "
        "with by `crnn parity`",
    )
    task: Text = Field(
        "words", description="whose weights pretrained is; for a model of a kind of your own the module"
    )
