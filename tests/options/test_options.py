"""The options: defaults, yaml, command line, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from every_command import CALLS

from crnn_mindspore.artifacts.agreement import (
    adopting,
    check_artifact,
    check_derived,
    codec_of,
    network_of,
    preprocessing_of,
)
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.options.base import Options, type_of
from crnn_mindspore.options.commands import (
    COMMANDS,
    SECTIONS,
    AllOptions,
    EvalOptions,
    ExportCommandOptions,
    LaunchOptions,
    ParityOptions,
    ReadOptions,
    TrainOptions,
)
from crnn_mindspore.options.converters import SvtOptions
from crnn_mindspore.options.documents import markdown_text, yaml_text
from crnn_mindspore.options.load import DEFAULT_CONFIG, load_options
from crnn_mindspore.options.without_effect import NEEDS
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork
from crnn_mindspore.text.charset import Charset

ROOT = Path(__file__).resolve().parents[2]

# The model zoo's options and defaults; None where it has no fixed default.
CONTRACT = {
    "enable_modelarts": False,
    "data_url": "",
    "train_url": "",
    "checkpoint_url": "",
    "data_path": "/cache/data",
    "output_path": "/cache/train",
    "load_path": "/cache/checkpoint_path",
    "device_target": "auto",
    "enable_profiling": False,
    "output_dir": None,
    "run_distribute": False,
    "model": "lowercase",
    "model_version": "V1",
    "label_dict": "abcdefghijklmnopqrstuvwxyz0123456789",
    "train_dataset": "synth",
    "max_text_length": 23,
    "image_width": 100,
    "image_height": 32,
    "batch_size": 64,
    "epoch_size": 10,
    "hidden_size": 256,
    "learning_rate": 0.02,
    "momentum": 0.95,
    "nesterov": True,
    "save_checkpoint": True,
    "save_checkpoint_steps": 1000,
    "keep_checkpoint_max": 30,
    "save_checkpoint_path": "./",
    "per_print_time": 100,
    "class_num": 37,
    "input_size": 512,
    "num_step": 24,
    "use_dropout": True,
    "blank": 36,
    "train_dataset_path": "",
    "train_eval_dataset": "svt",
    "train_eval_dataset_path": "",
    "run_eval": False,
    "eval_all_saved_ckpts": False,
    "save_best_ckpt": True,
    "eval_start_epoch": 5,
    "eval_interval": 1,
    "resume_ckpt": "",
    "eval_dataset": "svt",
    "eval_dataset_path": "",
    "checkpoint_path": "",
    "device_id": 0,
    "ckpt_file": "",
    "file_name": "crnn",
    "file_format": "MINDIR",
    "ann_file": "",
    "result_path": "",
    "dataset": "",
}


def load_config(argv: list[str]) -> AllOptions:
    return load_options(AllOptions, argv)


@pytest.mark.parametrize("name", CONTRACT)
def test_every_option_of_the_model_zoo_keeps_its_default(name: str) -> None:
    found = getattr(load_config([]), name)
    if CONTRACT[name] is not None:
        assert found == CONTRACT[name]
        assert type(found) is type(CONTRACT[name])


def test_the_derived_defaults_follow_from_the_others() -> None:
    config = load_config([])
    given = [f"--{name}={getattr(config, name)}" for name in ("class_num", "blank", "num_step", "input_size")]
    check_derived(load_config(given))


def test_the_yaml_is_what_the_option_classes_say_of_its_values() -> None:
    assert DEFAULT_CONFIG.read_text(encoding="utf-8") == yaml_text(read_yaml(DEFAULT_CONFIG))


def test_the_page_of_options_is_what_the_option_classes_say() -> None:
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert page == markdown_text(read_yaml(DEFAULT_CONFIG)), "make options"


def test_every_option_of_the_yaml_has_a_meaning_and_no_default_but_there() -> None:
    names = [name for section in SECTIONS for name in section.model_fields]
    assert sorted(names) == sorted(read_yaml(DEFAULT_CONFIG)) == sorted(AllOptions.model_fields)
    for name, field in AllOptions.model_fields.items():
        assert field.is_required(), name
        assert field.description, name


def recipes() -> list[Path]:
    return sorted(p for p in (ROOT / "configs").rglob("*.yaml") if not p.name.endswith("effects.yaml"))


def test_there_are_recipes() -> None:
    assert ROOT / "configs" / "demo.yaml" in recipes()


@pytest.mark.parametrize("path", recipes(), ids=lambda p: p.name)
def test_every_shipped_recipe_is_read_and_does_not_contradict_itself(path: Path) -> None:
    config = load_config(["--config_path", str(path)])
    check_derived(config)
    assert config.given == set(yaml.safe_load(path.read_text(encoding="utf-8")))


def write(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    return ["--config_path", str(path)]


def test_the_command_line_wins_over_the_yaml_and_that_over_the_defaults(tmp_path: Path) -> None:
    argv = write(tmp_path / "a.yaml", "batch_size: 16\nmomentum: 0.5\nrun_eval: yes\n")
    config = load_config([*argv, "--batch_size=8"])
    assert (config.batch_size, config.momentum, config.run_eval, config.epoch_size) == (8, 0.5, True, 10)
    assert config.given == {"batch_size", "momentum", "run_eval"}


@pytest.mark.parametrize(("text", "expected"), [("True", True), ("false", False), ("1", True), ("0", False)])
def test_booleans_are_read_from_words(text: str, expected: bool) -> None:
    assert load_config([f"--nesterov={text}"]).nesterov is expected


def test_options_may_have_their_value_behind_a_space() -> None:
    assert load_config(["--device_target", "CPU", "--label_dict", "ab"]).label_dict == "ab"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--bach_size=3", "unknown option 'bach_size', did you mean 'batch_size'?"),
        ("--batch=3", "unknown option 'batch'"),  # no abbreviations
        ("stray", "'stray' stands alone"),
        ("--batch_size=many", "command line: batch_size is 'many', must be a whole number"),
        ("--batch_size=2.5", "command line: batch_size is '2.5', must be a whole number"),
        ("--batch_size=0", "command line: batch_size is 0, must be at least 1"),
        ("--epoch_size=0", "command line: epoch_size is 0, must be at least 1"),
        ("--ema_decay=1", "command line: ema_decay is 1, must be below 1"),
        ("--clip_norm=nan", "command line: clip_norm is 'nan', must be a number"),
        ("--length_bonus=-inf", "command line: length_bonus is '-inf', must be a number"),
        ("--learning_rate=fast", "command line: learning_rate is 'fast', must be a number"),
        ("--nesterov=perhaps", "command line: nesterov is 'perhaps', must be True or False"),
        (
            "--device_target=TPU",
            "command line: device_target is 'TPU', must be one of auto, Ascend, GPU, CPU",
        ),
        ("--model_version=V3", "command line: model_version is 'V3', must be one of V1, V2"),
        ("--file_format=PB", "command line: file_format is 'PB', must be one of MINDIR, AIR, ONNX"),
    ],
)
def test_a_wrong_option_is_refused_with_what_was_given(option: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config([option])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bach_size: 3\n", "a.yaml: unknown key 'bach_size', did you mean 'batch_size'?"),
        ("zzzzqqq: 3\n", "a.yaml: unknown key 'zzzzqqq'"),
        ("batch_size: [1]\n", "a.yaml: batch_size is"),
        ("label_dict: 1234567890\n", "a.yaml: label_dict is"),  # a number for yaml: quotes are missing
        ("output_dir: 2020-13-45\n", "a.yaml: not a yaml file"),  # looks like a date
        ("- batch_size\n", "a.yaml: expected lines of 'key: value'"),
        ("batch_size: {\n", "a.yaml: not a yaml file"),
        ("label_dict: abc\nlabel_dict: abcd\n", "a.yaml: not a yaml file: 'label_dict' stands twice"),
    ],
)
def test_a_wrong_yaml_is_refused_and_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config(write(tmp_path / "a.yaml", text))
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_missing_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.yaml: No such file"):
        load_config(["--config_path", str(tmp_path / "gone.yaml")])


def test_an_empty_yaml_changes_nothing(tmp_path: Path) -> None:
    assert load_config(write(tmp_path / "a.yaml", "# nothing\n")) == load_config([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--class_num=36"], "class_num is given as 36, but 37 follows"),
        (["--label_dict=abc", "--class_num=37"], "class_num is given as 37, but 4 follows"),
        (["--blank=0"], "blank is given as 0, but 36 follows"),
        (["--image_width=160", "--num_step=24"], "num_step is given as 24, but 39 follows"),
        (["--channel_scale=0.5", "--input_size=512"], "input_size is given as 512, but 256 follows"),
        (["--channels=8,8,8,8,8,8,40", "--input_size=512"], "input_size is given as 512, but 40 follows"),
    ],
)
def test_derived_values_that_contradict_are_refused_with_both(options: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_derived(load_config(options))


ARTIFACT = Artifact(Charset("abc"), Preprocessing(width=60), NetworkSpec("V2", 32, 0.5))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--label_dict=abd", "label_dict 'abc', but label_dict 'abd' was given"),
        ("--image_width=100", "image_width 60, but image_width 100 was given"),
        ("--image_standardize=True", "image_standardize False, but image_standardize True was given"),
        ("--model_version=V1", "model_version 'V2', but model_version 'V1' was given"),
        ("--hidden_size=256", "hidden_size 32, but hidden_size 256 was given"),
        ("--channel_scale=1", "channel_scale 0.5, but channel_scale 1.0 was given"),
        ("--channels=8,8,8,8,8,8,8", "channels '', but channels '8,8,8,8,8,8,8' was given"),
        ("--num_step=24", "num_step 14, but num_step 24 was given"),
    ],
)
def test_options_that_contradict_a_model_are_refused_with_both(option: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"^m\.ckpt: was made with {message}"):
        check_artifact(load_config([option]), ARTIFACT, "m.ckpt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--channels=8,9"], "channels is '8,9', but V1 needs 7 numbers: conv1, conv2"),
        (["--channels=8,8,8,0,8,8,8"], "'0' is not a whole number from 1 to 65,536"),
        (["--channels=a"], "channels is 'a': 'a' is not a whole number"),
        (["--model_version=paper", "--channels=8,8,8,8,8,8,8"], "model_version paper takes none"),
        (
            ["--output=positions", "--model_version=resnet18", "--channels=8"],
            "channels is '8', but resnet18 needs 12 numbers: stage1, stage1.0.conv1, stage1.1.conv1, stage2",
        ),
    ],
)
def test_channels_that_are_none_of_the_network_are_refused(options: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        network_of(load_config(options))


def test_channels_are_taken_from_a_model_and_compared_as_numbers() -> None:
    counts = (3, 5, 7, 9, 11, 13, 15)
    artifact = replace(ARTIFACT, network=replace(ARTIFACT.network, channels=counts))
    adopted = adopting(load_config([]), artifact)
    assert (adopted.channels, network_of(adopted)) == ("3,5,7,9,11,13,15", artifact.network)
    check_artifact(load_config(["--label_dict=abc", "--channels=3, 5,7,9,11,13,15"]), artifact, "m.ckpt")
    with pytest.raises(UserError, match="channels '3,5,7,9,11,13,15', but channels '3,5,7,9,11,13,16'"):
        check_artifact(load_config(["--label_dict=abc", "--channels=3,5,7,9,11,13,16"]), artifact, "m.ckpt")


def test_defaults_never_contradict_a_model() -> None:
    check_artifact(load_config(["--label_dict=abc", "--blank=3"]), ARTIFACT, "m.ckpt")


def test_options_are_read_only() -> None:
    options = load_config([])
    with pytest.raises(ValueError, match="frozen"):
        options.batch_size = 3
    with pytest.raises(AttributeError):
        _ = options.bach_size


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed=4294967296"], "seed is 4294967296, must be at most 4,294,967,295"),
        (["--warmup_steps=-1"], "warmup_steps is -1, must be at least 0"),
        (["stray.png"], "'stray.png' stands alone"),
    ],
)
def test_numbers_out_of_range_and_words_without_an_option_are_refused(
    options: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        load_config(options)


def test_a_negative_number_may_have_an_exponent() -> None:
    assert load_config(["--length_bonus", "-1e-3"]).length_bonus == -0.001


def test_words_may_stand_between_options() -> None:
    options = load_options(ReadOptions, ["a.png", "--batch_size=2", "b.png", "--characters", "c.png"])
    assert (options.images, options.batch_size, options.characters) == (["a.png", "b.png", "c.png"], 2, True)
    launch = load_options(
        LaunchOptions, ["--platform=CPU", "--log_dir=x", "--", "--seed=1", "--run_eval=True"]
    )
    assert launch.options == ["--seed=1", "--run_eval=True"]


def test_more_than_one_model_is_needed_to_compare() -> None:
    with pytest.raises(UserError, match="models names 1, must name at least 2"):
        load_options(ParityOptions, ["a.ckpt", "--dataset=folder", "--dataset_path=x"])
    with pytest.raises(UserError, match="tolerance is 'abc', must be a number"):
        load_options(ParityOptions, ["a", "b", "--dataset=folder", "--dataset_path=x", "--tolerance=abc"])


def test_a_yaml_of_a_modelarts_job_lets_nothing_unknown_pass_elsewhere(tmp_path: Path) -> None:
    argv = write(tmp_path / "a.yaml", "enable_modelarts: True\n")
    load_config([*argv, "--num_gpus=8"])
    with pytest.raises(UserError, match="unknown option 'num_gpus'"):
        load_options(ReadOptions, [*argv, "a.png", "--num_gpus=8"])


def test_a_whole_number_is_no_other_type_for_a_number(tmp_path: Path) -> None:
    config = load_config([*write(tmp_path / "a.yaml", "learning_rate: 1\n"), "--momentum=0.02"])
    assert (config.learning_rate, config.momentum) == (1.0, 0.02)
    assert load_config([*write(tmp_path / "a.yaml", "learning_rate: 1\n"), "--learning_rate=0.02"]).given


def test_a_required_option_is_named() -> None:
    with pytest.raises(UserError, match="--eval_dataset_path is required"):
        load_config([]).require("device_target", "eval_dataset_path")


def test_an_alphabet_may_come_from_a_file_and_is_compared_by_its_characters(tmp_path: Path) -> None:
    file = tmp_path / "digits.txt"
    file.write_text("0\n1\n2\n", encoding="utf-8")
    config = load_config([f"--label_dict={file}", "--class_num=4"])
    assert codec_of(config).characters == "012"
    check_derived(config)
    artifact = Artifact(Charset("012"), preprocessing_of(config), network_of(config))
    check_artifact(config, artifact, "a.ckpt")
    other = Artifact(Charset("01"), preprocessing_of(config), network_of(config))
    with pytest.raises(
        UserError, match=r"a\.ckpt: was made with label_dict '01', but label_dict '012' was given"
    ):
        check_artifact(config, other, "a.ckpt")


def test_a_training_takes_over_what_its_options_leave_open_from_the_model_it_starts_from() -> None:
    config = adopting(load_config(["--hidden_size=32", "--batch_size=7"]), ARTIFACT)
    network = ARTIFACT.network
    assert (codec_of(config), config.image_width) == (ARTIFACT.codec, ARTIFACT.preprocessing.width)
    assert (config.model_version, config.channel_scale) == (network.version, network.channel_scale)
    assert (config.hidden_size, config.batch_size) == (32, 7)
    codec = PositionsCodec(layout_of({"text": [{"name": "character", "classes": ["a", "b"]}]}))
    high = Artifact(codec, Preprocessing(width=32, height=48), PositionsNetwork("resnet18"), task="positions")
    config = adopting(load_config(["--task=characters"]), high)
    assert (config.image_width, config.image_height) == (32, 48)
    with pytest.raises(UserError, match="class_num is given as 37, but 4 follows"):
        check_derived(adopting(load_config(["--class_num=37"]), ARTIFACT))


def test_names_in_capitals_mean_the_same(tmp_path: Path) -> None:
    path = tmp_path / "page.yaml"
    path.write_text("CHECKPOINT_PATH: a.ckpt\nBatch_Size: 3\n")
    options = load_options(AllOptions, [f"--config_path={path}", "--DEVICE_TARGET", "CPU"])
    assert (options.checkpoint_path, options.batch_size, options.device_target) == ("a.ckpt", 3, "CPU")
    path.write_text("CHECKPOINT_PATH: a.ckpt\ncheckpoint_path: b.ckpt\n")
    with pytest.raises(UserError, match="'checkpoint_path' stands twice"):
        load_options(AllOptions, [f"--config_path={path}"])


def test_a_tilde_is_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    path = tmp_path / "home.yaml"
    path.write_text("save_checkpoint_path: ~/ckpt\nlabel_dict: ~/a/~\n")
    options = load_options(
        TrainOptions,
        [f"--config_path={path}", "--output_dir=~/run", "--train_eval_dataset_path=~/a,/b,~nobody-knows/c"],
    )
    assert options.save_checkpoint_path == "/home/someone/ckpt"
    assert options.output_dir == "/home/someone/run"
    assert options.train_eval_dataset_path == "/home/someone/a,/b,~nobody-knows/c"
    assert options.label_dict == "~/a/~"  # an alphabet of three characters
    assert load_options(TrainOptions, ["--label_dict=~/abc.txt"]).label_dict == "/home/someone/abc.txt"
    assert load_options(SvtOptions, ["-o", "~/out"]).output_dir == "/home/someone/out"


def test_a_list_is_written_with_commas_or_as_yaml_has_lists(tmp_path: Path) -> None:
    path = tmp_path / "epochs.yaml"
    path.write_text("lr_schedule: epochs\nlr_epochs: [10, 140]\nlr_values: [0.001, 1e-4]\n")
    options = load_options(TrainOptions, [f"--config_path={path}"])
    assert (options.lr_epochs, options.lr_values) == ("10,140", "0.001,1e-4")
    path.write_text("lr_schedule: epochs\nlr_epochs: 10\nlr_values:\n")
    options = load_options(TrainOptions, [f"--config_path={path}"])
    assert (options.lr_epochs, options.lr_values) == ("10", "")
    options = load_options(
        TrainOptions, ["--lr_schedule=epochs", "--lr_epochs=10,140", "--lr_values=1e-3,.1"]
    )
    assert (options.lr_epochs, options.lr_values) == ("10,140", "1e-3,.1")
    path.write_text("lr_epochs: True\n")
    with pytest.raises(UserError, match="lr_epochs is True, must be text"):
        load_options(TrainOptions, [f"--config_path={path}"])


def test_a_user_without_a_folder_makes_none_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # a container that does not know its user
    with pytest.raises(UserError, match="~/run: ~ is the user's folder, and this user has none"):
        load_options(TrainOptions, ["--output_dir=~/run"])
    with pytest.raises(UserError, match=r"~/classes\.txt: ~ is the user's folder, and this user has none"):
        load_options(TrainOptions, ["--label_dict=~/classes.txt"])


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (
            TrainOptions,
            ["--warmup_steps=5"],
            "warmup_steps 5 has no effect: it needs lr_schedule cosine_step or trapezoid or one_cycle or "
            "step_decay or epochs, which is cosine_epoch",
        ),
        (
            TrainOptions,
            ["--lr_schedule=step_decay", "--lr_epochs=10"],
            "lr_epochs 10 has no effect: it needs lr_schedule epochs, which is step_decay",
        ),
        (
            TrainOptions,
            ["--train_url=obs://a/b"],
            "train_url obs://a/b has no effect: it needs enable_modelarts True, which is False",
        ),
        (TrainOptions, ["--eval_interval=3"], "eval_interval 3 has no effect: it needs run_eval True"),
        (TrainOptions, ["--render_words=w.txt"], "needs train_dataset render, which is synth"),
        (TrainOptions, ["--train_dataset=render", "--augment=light"], "augment light has no effect"),
        (
            TrainOptions,
            ["--nesterov=False", "--optimizer=adam"],
            "nesterov False has no effect: it needs opt",
        ),
        (
            EvalOptions,
            ["--beam_width=3"],
            "beam_width 3 has no effect: it needs decoder beam, which is auto",
        ),
        (
            ExportCommandOptions,
            ["--calibration_path=x"],
            "calibration_path x has no effect: it needs precision int8, which is fp32",
        ),
        (
            ExportCommandOptions,
            ["--verify_path=x"],
            "verify_path x has no effect: it needs verify the name of a data set, which is empty",
        ),
    ],
)
def test_an_option_without_effect_is_said(
    log: list[str], kind: type[Options], arguments: list[str], message: str
) -> None:
    load_options(kind, arguments)
    (line,) = log
    assert message in line


def test_what_has_an_effect_or_is_the_default_is_not_said(log: list[str]) -> None:
    load_options(TrainOptions, ["--eval_interval=1", "--decay_steps=0"])
    load_options(TrainOptions, ["--run_eval=True", "--eval_interval=3", "--eval_examples=1"])
    load_options(TrainOptions, ["--lr_schedule=trapezoid", "--warmup_steps=5", "--decay_steps=2"])
    load_options(ExportCommandOptions, ["--precision=int8", "--calibration_path=x"])
    assert not log


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_recipes_hold_nothing_without_effect(path: Path, log: list[str]) -> None:
    if set(read_yaml(path)) <= set(AllOptions.model_fields):  # the others are effects
        load_options(TrainOptions, [f"--config_path={path}"])
    assert not log


def test_options_of_other_programs_are_said_where_all_are_taken(log: list[str]) -> None:
    load_options(EvalOptions, ["--learning_rate=0.1", "--file_name=x"], takes_all=True)
    assert log == ["options of other programs, without effect here: file_name, learning_rate"]


def test_every_need_is_of_options_that_exist() -> None:
    for need in NEEDS:
        assert {need.other, *need.options} <= set(AllOptions.model_fields)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("value", [10**30, -(10**30), 2**63])
def test_no_command_takes_a_whole_number_that_nothing_can_hold(command: str, value: int) -> None:
    options = COMMANDS[command]
    others = CALLS[command].arguments if command in CALLS else ()
    for name, field in options.model_fields.items():
        if type_of(field) is int:
            with pytest.raises(
                UserError, match=rf"{name} is {value}, must be (at most|at least|below|above) "
            ):
                load_options(options, [*others, f"--{name}={value}"])


def test_classes_of_ones_own_task_are_not_given_up_for_those_of_a_model(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "output: positions\nmodel_version: resnet18\npositions: {text: [ABC]}\nimage_width: 48\n",
        encoding="utf-8",
    )
    codec = PositionsCodec(layout_of({"text": ["AB"]}))
    old = Artifact(codec, Preprocessing(width=32, height=48), PositionsNetwork("resnet18"), task="positions")
    config = adopting(load_config([f"--task={mine}"]), old)
    assert config.positions == {"text": ["ABC"]}
    assert (config.image_width, config.image_height) == (32, 48)
    assert adopting(load_config(["--task=plates"]), old).positions == codec.layout.to_plain()


def test_plates_that_nothing_would_draw_are_an_error(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("output: positions\npositions: {text: [ABC]}\nplates: {kinds: []}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"mine\.yaml: says how plates look, but not `renderer: plates`"):
        load_config([f"--task={mine}"])
