"""Names and links that lead out of a data set, a list or an output folder."""

import io
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import WORDS, links_may_leave

from crnn_mindspore.cli.main import main
from crnn_mindspore.data.converting.converting import convert
from crnn_mindspore.data.converting.scenes import Region, Scene
from crnn_mindspore.data.converting.word_output import FolderOutput, write_comma_annotation, write_labels
from crnn_mindspore.data.image_io import OutsideImageError, UnreadableImageError
from crnn_mindspore.data.readers.annotated import load_annotated
from crnn_mindspore.data.readers.lmdb_io import LmdbWriter
from crnn_mindspore.data.readers.registry import READERS, load_samples
from crnn_mindspore.data.sources.samples import OUTSIDE_FOLDER, FilterReport
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import OutsideError, inside, joined, to_write
from crnn_mindspore.offline.input_list import read_inputs
from crnn_mindspore.reading.named_images import find_images
from crnn_mindspore.text_file import write_text
from crnn_mindspore.whole_file import not_through_links, whole_file, whole_folder, write_new

PNG = cv2.imencode(".png", np.zeros((8, 20, 3), np.uint8))[1].tobytes()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """An image outside every folder that the tests read or write."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "secret.png").write_bytes(PNG)
    return folder / "secret.png"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/../../b", "/etc/passwd", "\\etc", "..\\a", "a\0", "./", "a/.."]
)
def test_a_name_that_leads_out_is_refused(name: str) -> None:
    with pytest.raises(OutsideError, match="does not lie in the folder"):
        joined("root", name)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a.png", "root/a.png"),
        ("./a.png", "root/a.png"),
        (".//etc/passwd", "root/etc/passwd"),
        (".//./a//b.png", "root/a/b.png"),
        ("a\\b.png", "root/a/b.png"),
        ("a/../b.png", "root/b.png"),
        ("..a/b..", "root/..a/b.."),
    ],
)
def test_a_name_inside_is_the_path_that_it_looks_like(name: str, path: str) -> None:
    assert joined("root", name) == path


ANNOTATED = {
    "ic03": ("annotation.txt", "{name},word"),
    "iiit5k": ("annotation.txt", "{name},word"),
    "ic13": ("gt.txt", '{name}, "word"'),
    "ic15": ("gt.txt", '{name}, "word"'),
    "folder": ("labels.tsv", "{name}\tword"),
    "svt": ("labels.tsv", "{name}\tword"),
    "synth": ("annotation_train.txt", "{name} 0"),
    "chinese": ("train.txt", "{name} 1"),
}


def write_set(root: Path, reader: str, name: str) -> str:
    """A data set of one image of this name; returns its folder."""
    root.mkdir(parents=True, exist_ok=True)
    file, line = ANNOTATED[reader]
    (root / file).write_text(line.format(name=name) + "\n", encoding="utf-8")
    (root / "lexicon.txt").write_text("word\n")
    (root / "chars.txt").write_text("blank\nword\n")
    return str(root)


def opened(reader: str, root: str) -> list[bytes]:
    """Every image that a reader gives."""
    source = load_samples(reader, root, split="train")
    return [source.image_bytes(i) for i in range(len(source))]


@pytest.mark.parametrize("reader", ANNOTATED)
@pytest.mark.parametrize("form", ["./{}", "{}", ".//{}", "a/../../elsewhere/secret.png"])
def test_a_name_in_an_annotation_leads_nowhere_outside(
    reader: str, form: str, secret: Path, tmp_path: Path
) -> None:
    root = write_set(tmp_path / "set", reader, form.format(secret))
    source = load_samples(reader, root, split="train")
    for i in range(len(source)):
        assert source.name(i).startswith(f"{root}/")
        with pytest.raises(UnreadableImageError, match="No such file"):
            source.image_bytes(i)
    assert len(source) + source.report.dropped.get(OUTSIDE_FOLDER, 0) == 1


@pytest.mark.parametrize("reader", ANNOTATED)
def test_an_image_behind_a_link_out_of_the_set_needs_a_word(
    reader: str, secret: Path, tmp_path: Path
) -> None:
    root = write_set(tmp_path / "set", reader, "a.png")
    (tmp_path / "set" / "a.png").symlink_to(secret)
    with pytest.raises(OutsideError, match=r"a\.png: a symbolic link leads out .* give --allow_outside"):
        load_samples(reader, root, split="train")
    with links_may_leave():
        assert opened(reader, root) == [PNG]


@pytest.mark.parametrize("reader", ANNOTATED)
def test_a_folder_of_images_behind_a_link_needs_a_word(reader: str, secret: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", reader, "images/secret.png")
    if reader == "chinese":  # has its images in that folder where there is one
        write_set(tmp_path / "set", reader, "secret.png")
    (tmp_path / "set" / "images").symlink_to(secret.parent)
    with pytest.raises(OutsideError, match="give --allow_outside"):
        load_samples(reader, root, split="train")
    with links_may_leave():
        assert opened(reader, root) == [PNG]


@pytest.mark.parametrize("reader", ANNOTATED)
def test_a_label_file_behind_a_link_needs_a_word(reader: str, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", reader, "a.png")
    (tmp_path / "set" / "a.png").write_bytes(PNG)
    file = tmp_path / "set" / ANNOTATED[reader][0]
    file.symlink_to(shutil.move(file, tmp_path / "labels of others"))
    with pytest.raises(OutsideError, match="give --allow_outside"):
        load_samples(reader, root, split="train")
    with links_may_leave():
        assert opened(reader, root) == [PNG]


@pytest.mark.parametrize("reader", ANNOTATED)
def test_the_set_itself_may_be_a_link_and_hold_links_within(reader: str, tmp_path: Path) -> None:
    write_set(tmp_path / "far" / "set", reader, "a.png")
    (tmp_path / "far" / "set" / "real").mkdir()
    (tmp_path / "far" / "set" / "real" / "b.png").write_bytes(PNG)
    (tmp_path / "far" / "set" / "a.png").symlink_to("real/b.png")
    (tmp_path / "set").symlink_to("far/set")
    assert opened(reader, str(tmp_path / "set")) == [PNG]


def test_every_reader_is_held_to_it() -> None:
    assert set(READERS) == {*ANNOTATED, "lmdb", "classes"}  # these two below


@pytest.mark.parametrize("reader", ["svt", "folder:*_{text}.png", "classes"])
def test_a_link_among_files_needs_a_word(reader: str, secret: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set" / ("a" if reader == "classes" else "")
    folder.mkdir(parents=True)
    (folder / "1_word.png").symlink_to(secret)
    with pytest.raises(OutsideError, match="give --allow_outside"):
        load_samples(reader, str(tmp_path / "set"))
    with links_may_leave():
        assert opened(reader, str(tmp_path / "set")) == [PNG]


def test_an_lmdb_behind_a_link_needs_a_word(tmp_path: Path) -> None:
    with LmdbWriter(str(tmp_path / "far")) as writer:
        writer.add(PNG, "word")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "data.mdb").symlink_to(tmp_path / "far" / "data.mdb")
    with pytest.raises(OutsideError, match="give --allow_outside"):
        load_samples("lmdb", str(tmp_path / "set"))
    with links_may_leave():
        assert opened("lmdb", str(tmp_path / "set")) == [PNG]


def test_a_later_link_is_an_unreadable_image(secret: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", "folder", "a.png")
    (tmp_path / "set" / "labels.tsv").write_text("a.png\tone\nb.png\ttwo\n")
    (tmp_path / "set" / "a.png").write_bytes(PNG)
    (tmp_path / "set" / "b.png").symlink_to(secret)
    source = load_samples("folder", root)
    assert source.image_bytes(0) == PNG
    with pytest.raises(OutsideImageError, match="give --allow_outside"):
        source.image_bytes(1)


def test_crnn_read_follows_no_link_out_of_the_folder_that_was_named(secret: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").symlink_to(secret)
    with pytest.raises(OutsideError, match="give --allow_outside"):
        list(find_images([str(tmp_path / "set")], io.BytesIO()))
    assert list(find_images([str(tmp_path / "set" / "a.png")], io.BytesIO()))  # named itself


def test_the_option_says_it_to_every_command(
    secret: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    root = write_set(tmp_path / "set", "folder", "a.png")
    (tmp_path / "set" / "a.png").symlink_to(secret)
    check = ["check", "--train_dataset=folder", f"--train_dataset_path={root}", "--max_images=1"]
    assert main(check) == 2
    assert "give --allow_outside" in capfd.readouterr().err
    main([*check, "--allow_outside"])
    assert "leads out" not in capfd.readouterr().err
    to_lmdb = ["convert", "lmdb", "-n", "folder", "-d", root, "-o", str(tmp_path / "out")]
    assert main(to_lmdb) == 2
    assert main([*to_lmdb, "--allow_outside"]) == 0


def test_offline_inference_lists_no_link_out_of_the_set(secret: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", "folder", "a.png")
    (tmp_path / "set" / "a.png").symlink_to(secret)
    with pytest.raises(OutsideError, match="give --allow_outside"):
        load_annotated("folder", root, f"{root}/labels.tsv")


# --- converting and writing ---


def test_a_converter_writes_nothing_outside_its_output(secret: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    name = f".{tmp_path / 'planted.png'}"  # ./tmp/.../planted.png
    scenes = [
        Scene(text, (Region("word"),))
        for text in (name, f".//{secret}", f"{secret}", "../elsewhere/secret.png")
    ]
    (images / "good.png").write_bytes(PNG)
    scenes.append(Scene("good.png", (Region("word"),)))
    with FolderOutput(str(tmp_path / "out"), write_comma_annotation) as output:
        summary = convert(scenes, str(images), output, FilterReport())
    assert summary.report.kept == 1
    assert not (tmp_path / "planted.png").exists()
    assert sorted(p.name for p in (tmp_path / "out").rglob("*")) == ["annotation.txt", "good.png"]


def test_a_converter_reads_no_link_out_of_its_images(secret: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").symlink_to(secret)
    with FolderOutput(str(tmp_path / "out"), write_comma_annotation) as output:
        summary = convert([Scene("a.png", (Region("x"),))], str(tmp_path / "images"), output, FilterReport())
    assert summary.report.kept == 0
    assert "give --allow_outside" in summary.unreadable[0]


def test_an_output_writes_through_no_link(tmp_path: Path) -> None:
    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.mkdir()
    (victim / "file").write_bytes(b"mine")
    out.mkdir()
    for name in ("a.png", "labels.tsv", "lexicon_50.json"):
        (out / name).symlink_to(victim / "file")
    (out / "dangling.png").symlink_to(victim / "new")
    (out / "sub").symlink_to(victim)
    with FolderOutput(str(out), write_labels) as output:
        for name in ("a.png", "dangling.png"):
            output.add(name, PNG, "word", {"50": ("word",)})
        with pytest.raises(OutsideError, match="sub: is a symbolic link, through which nothing is written"):
            output.add("sub/b.png", PNG, "word")
    assert [p.name for p in victim.iterdir()] == ["file"]
    assert (victim / "file").read_bytes() == b"mine"
    assert (out / "a.png").read_bytes() == PNG
    assert not (out / "a.png").is_symlink()


def test_no_way_of_writing_follows_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")

    def planted(name: str) -> Path:
        (tmp_path / name).symlink_to(victim)
        return tmp_path / name

    write_text(planted("text"), "new")
    write_new(planted("new"), b"new")
    with whole_file(planted("whole")) as temporary:
        temporary.write_text("new")
    planted(f".half.{os.getpid()}.tmp.txt")  # the temporary name of the next
    with whole_file(tmp_path / "half.txt") as temporary:
        temporary.write_text("new")
    os.link(victim, tmp_path / "hard")
    write_new(tmp_path / "hard", b"new")
    for mode in ("w", "a"):
        with pytest.raises(OSError, match="is a symbolic link"):
            open(planted(mode), mode, opener=not_through_links).close()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        open(tmp_path / "pipe", "w", opener=not_through_links).close()
    (tmp_path / "device").symlink_to("/dev/null")
    write_text(tmp_path / "device", "new")
    assert (tmp_path / "device").read_text() == "new"
    assert victim.read_text() == "mine"
    for name in ("text", "new", "whole", "half.txt", "hard"):
        assert (tmp_path / name).read_text() == "new"


def test_the_output_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "out").symlink_to("far")
    assert to_write(str(tmp_path / "out"), "a/b.png") == f"{tmp_path}/out/a/b.png"
    assert inside(str(tmp_path / "out"), "a.png") == f"{tmp_path}/out/a.png"


@pytest.mark.parametrize("result", ["../a.bin", "/tmp/a.bin", "a/b.bin", "..", "."])
def test_a_list_names_results_and_no_paths(result: str, tmp_path: Path) -> None:
    lines = [
        "crnn_inputs 1",
        "height 32",
        "width 100",
        "channel_order BGR",
        "interpolation linear",
        "mean 127.5",
        "std 127.5",
        "time_steps 24",
        "characters 97",
        "images 1",
        f"{result}\t/tmp/a.png",
        "",
    ]
    (tmp_path / "inputs.txt").write_text("\n".join(lines))
    with pytest.raises(UserError, match="is not the name of a file"):
        read_inputs(str(tmp_path))


def test_files_have_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with whole_file(tmp_path / "a" / "file") as temporary:
            temporary.write_text("x")
            temporary.chmod(0o644)  # as MindSpore does, and copying a file
        with whole_folder(tmp_path / "folder") as temporary:
            (temporary / "file").write_text("x")
        with LmdbWriter(str(tmp_path / "lmdb")) as writer:
            for word in WORDS:
                writer.add(PNG, word)
    finally:
        os.umask(before)
    paths = [tmp_path / "a", *(p for name in ("a", "folder", "lmdb") for p in (tmp_path / name).rglob("*"))]
    assert len(paths) > 3
    assert [path for path in paths if path.stat().st_mode & 0o077] == []
    with whole_file(tmp_path / "open") as temporary:
        temporary.touch()
        temporary.chmod(0o400)
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o666 & ~before


@pytest.mark.parametrize(
    "line", ["width 99999999999999999999999", "width 70000000", "mean nan", "std inf", "std 0"]
)
def test_numbers_of_a_list_have_a_range(line: str, tmp_path: Path) -> None:
    name = line.split(maxsplit=1)[0]
    given = {"height": "32", "width": "100", "channel_order": "BGR", "interpolation": "linear"}
    given |= {"mean": "127.5", "std": "127.5", "time_steps": "24", "characters": "97", "images": "0"}
    lines = [f"{key} {value}" if key != name else line for key, value in given.items()]
    (tmp_path / "inputs.txt").write_text("\n".join(["crnn_inputs 1", *lines, ""]))
    with pytest.raises(UserError, match=r"inputs\.txt: "):
        read_inputs(str(tmp_path))
