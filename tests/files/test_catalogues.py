"""The shipped accelerators and known models: every file, its names, what look-ups remember, published figures."""

import json
import math
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from scaling_cli.core.hardware import PRECISIONS
from scaling_cli.core.models import LETTERS, SIX_ND
from scaling_cli.errors import FileError, InputError
from scaling_cli.files.catalogue import PRESETS
from scaling_cli.files.hardware import HARDWARE, load_accelerator, load_accelerators
from scaling_cli.files.models import FIGURES, MODELS, load_model, load_models
from scaling_cli.files.shelf import Shelf, name_key

SHELVES = [HARDWARE, MODELS]
OWN_CHIP = "{id: mine, name: My Chip, flops_per_second: {bf16: 1e15}}\n"
ROOT = Path(__file__).parents[2]


# the shipped files


@pytest.mark.parametrize(("shelf", "least"), [(HARDWARE, 45), (MODELS, 165)], ids=["hardware", "models"])
def test_every_file_is_read_as_shipped(shelf: Shelf[Any], least: int) -> None:
    """By the strict loader, not from memory; its id is its file's name, and no other kind of file lies there."""
    files = list(Path(shelf.folder).iterdir())
    assert len(files) >= least
    assert sorted(path.name.removesuffix(".yaml") for path in files) == shelf.ids()
    for path in files:
        assert shelf.parse(path.read_text(encoding="utf-8"), str(path), shipped=True).id == path.stem


@pytest.mark.parametrize("shelf", SHELVES, ids=["hardware", "models"])
def test_what_is_remembered_is_up_to_date(shelf: Shelf[Any]) -> None:
    """presets/*.json is what `python -m scaling_cli.files` would write now, and gives what the files give."""
    remembered = json.loads(Path(shelf.memory).read_text(encoding="utf-8"))
    assert remembered == {item_id: shelf._entry(item_id, {}) for item_id in shelf.ids()}
    for item in shelf.load_all():
        path = Path(shelf.folder) / f"{item.id}.yaml"
        assert item == shelf.parse(path.read_text(encoding="utf-8"), str(path), shipped=True)


@pytest.mark.parametrize("shelf", SHELVES, ids=["hardware", "models"])
def test_every_name_finds_one_thing(shelf: Shelf[Any]) -> None:
    """In any spelling; no two presets share a name."""
    owners: dict[str, set[str]] = {}
    for item in shelf.load_all():
        for name in item.names:
            owners.setdefault(name_key(name), set()).add(item.id)
            assert shelf._find(name.upper().replace("-", " "), shelf._remembered()) == item.id
    assert [key for key, ids in owners.items() if len(ids) > 1] == []


def test_presets_ship_with_the_package() -> None:
    """Every file under presets/ matches a pattern of package-data."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = data["tool"]["setuptools"]["package-data"]["scaling_cli.presets"]
    shipped = {path for pattern in patterns for path in Path(PRESETS).glob(pattern)}
    assert {path for path in Path(PRESETS).rglob("*") if path.is_file()} <= shipped


def test_accelerators_are_physical() -> None:
    """Peaks, memory and power of the size of one accelerator; FP8 is never slower than 16 bit."""
    for each in load_accelerators():
        assert 5e13 < max(each.flops_per_second.values()) < 1e16, each.id
        assert set(each.flops_per_second) <= set(PRECISIONS)
        assert 8 <= (each.memory_gib or 0) <= 400
        assert each.bandwidth_bytes_per_second is None or 2e11 < each.bandwidth_bytes_per_second < 1e13
        assert each.tdp_w is None or 50 <= each.tdp_w <= 1500
        assert each.flops_per_second.get("fp8", math.inf) >= each.flops_per_second.get("bf16", 0.0)
        assert each.trap
        assert each.source


def test_models_say_how_each_figure_was_read() -> None:
    """A letter for every figure; a published compute says how it was come by; only mixtures differ in active params."""
    for model in load_models():
        given = {"params": model.params, "tokens": model.tokens, "flops": model.flops_published}
        given |= {"accelerator_hours": model.accelerator_hours, "mfu": model.mfu}
        assert set(given) == set(FIGURES)
        assert set(model.letters) == {name for name, value in given.items() if value is not None}, model.id
        assert set("+".join(model.letters.values()).split("+")) <= {*LETTERS, ""}
        assert bool(model.flops_basis) == (model.flops_published is not None)
        assert bool(model.mfu_where) == (model.mfu is not None)
        assert (model.active_params == model.params) or model.kind == "moe"


def test_published_compute_is_near_6nd() -> None:
    """A slip of a factor of ten in params, tokens or flops would show; the widest published gaps are 0.5 and 1.8."""
    ratios = {each.id: each.flops / six for each in load_models() if each.flops and (six := each.flops_6nd)}
    assert len(ratios) > 130
    assert all(0.49 < ratio < 1.8 for ratio in ratios.values()), ratios
    assert Counter(round(ratio, 1) for ratio in ratios.values()).most_common(1)[0][0] == 1.0


# published figures


def test_published_accelerators() -> None:
    """Dense peaks of the vendors' data sheets: half of the headlines with sparsity."""
    h100 = load_accelerator("h100")
    assert h100.peak("bf16") == pytest.approx(1979e12 / 2, rel=1e-3)  # NVIDIA H100 data sheet, with sparsity
    assert h100.memory_bytes == 80 * 1024**3
    assert load_accelerator("a100").peak("bf16") == 312e12
    assert load_accelerator("TPU v4").peak("bf16") == 275e12  # PaLM, appendix B
    v100 = load_accelerator("v100")
    assert v100.peak("fp16") == 125e12
    with pytest.raises(InputError, match="V100-SXM2 has no known dense peak at 'bf16'") as caught:
        v100.peak("bf16")
    assert caught.value.hints[0] == "expected a precision that it has: fp16"


def test_published_models() -> None:
    """GPT-3's Table D.1, Chinchilla, and PaLM's Table 3 of utilisation."""
    gpt3 = load_model("GPT-3")
    assert (gpt3.tokens, gpt3.flops) == (3e11, 3.14e23)
    assert gpt3.params == pytest.approx(175e9, rel=0.005)
    assert gpt3.flops_6nd == pytest.approx(3.14e23, rel=0.005)
    assert load_model("chinchilla").tokens_per_param == 20.0
    assert load_model("llama 3.1 405b").flops == 3.8e25
    published = {"gpt-3": 0.213, "gopher": 0.325, "mt-nlg": 0.302, "palm": 0.462}
    assert {name: load_model(name).mfu for name in published} == published
    llama = load_model("llama-2-13b")
    assert (llama.flops_published, llama.basis) == (None, SIX_ND)
    assert load_model("gpt-4").tokens is None


# names


@pytest.mark.parametrize(
    ("name", "item_id"),
    [
        ("h100", "h100-sxm"),
        ("H100", "h100-sxm"),
        ("NVIDIA H100 SXM", "h100-sxm"),
        ("h100_pcie", "h100-pcie"),
        ("a100", "a100-80gb-sxm"),
        ("v100", "v100-sxm2"),
        ("tpuv4", "tpu-v4"),
        ("b200", "b200-hgx"),
        ("rtx 4090", "rtx-4090"),
    ],
)
def test_names_of_accelerators(name: str, item_id: str) -> None:
    found = load_accelerator(name)
    assert found.id == item_id
    assert name not in ("h100", "a100", "v100", "b200") or f"{name} alone means this card" in found.note


@pytest.mark.parametrize(
    ("name", "item_id"),
    [
        ("gpt3", "gpt-3-175b"),
        ("GPT-3", "gpt-3-175b"),
        ("llama 3.1 405b", "llama-3.1-405b"),
        ("Llama2-7B", "llama-2-7b"),
        ("LLaMA 7B", "llama-7b"),
        ("ViT-G/14", "vit-g-14"),
        ("deepseek_v3", "deepseek-v3"),
    ],
)
def test_names_of_models(name: str, item_id: str) -> None:
    assert load_model(name).id == item_id


def test_a_separator_counts_between_digits() -> None:
    """Llama 2 7B is not Llama 27B."""
    with pytest.raises(InputError, match="no model is named 'llama 27b'"):
        load_model("llama 27b")


@pytest.mark.parametrize(
    ("name", "candidates"),
    [("h200", "it could be h200-nvl, h200-sxm"), ("a100-80gb", "it could be a100-80gb-pcie, a100-80gb-sxm")],
)
def test_ambiguous_accelerators(name: str, candidates: str) -> None:
    with pytest.raises(InputError, match=f"'{name}' names more than one accelerator") as caught:
        load_accelerator(name)
    assert caught.value.hints[0] == candidates


@pytest.mark.parametrize("name", ["llama 3.1", "qwen3", "gemma"])
def test_ambiguous_models(name: str) -> None:
    with pytest.raises(InputError, match="names more than one model") as caught:
        load_model(name)
    assert len(caught.value.hints[0].split(", ")) >= 3


@pytest.mark.parametrize(
    ("name", "hint"), [("h1000", "did you mean h100"), ("tpu-v9", "did you mean tpu-v"), ("", "`scaling hardware`")]
)
def test_unknown_accelerators(name: str, hint: str) -> None:
    """Refused, never replaced by a default."""
    with pytest.raises(InputError, match="no accelerator is named") as caught:
        load_accelerator(name)
    assert caught.value.hints[0].startswith(hint)
    assert caught.value.hints[-1].startswith("`scaling hardware` lists them all")


@pytest.mark.parametrize("name", ["\x1b[31mh100", "../hardware/h100-sxm", "h100\n", "x" * 5000])
def test_hostile_names(name: str) -> None:
    """No path is made of a name, and no terminal escape reaches a message."""
    if name == "h100\n":
        assert load_accelerator(name).id == "h100-sxm"
        return
    with pytest.raises((InputError, FileError)) as caught:
        load_accelerator(name)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


# files: of the user's, edited, wrong


def test_an_own_accelerator(tmp_path: Path) -> None:
    """A file with an id and one peak is enough; what is not said is None."""
    path = tmp_path / "mine.yaml"
    path.write_text(OWN_CHIP)
    chip = load_accelerator(str(path))
    assert (chip.id, chip.name, chip.peak("bf16"), chip.memory_gib, chip.tdp_w) == ("mine", "My Chip", 1e15, None, None)
    assert chip.verified == "unverified"


def test_an_edited_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered answers for a file only while the file is the same; a new alias is found."""
    text = (Path(HARDWARE.folder) / "h100-sxm.yaml").read_text(encoding="utf-8")
    edited = text.replace("memory_gib: 80", "memory_gib: 81").replace("[h100]", "[h100, hopper]")
    (tmp_path / "h100-sxm.yaml").write_text(edited, encoding="utf-8")
    monkeypatch.setattr(HARDWARE, "folder", str(tmp_path))
    assert load_accelerator("h100").memory_gib == load_accelerator("hopper").memory_gib == 81.0
    monkeypatch.setattr(HARDWARE, "memory", str(tmp_path / "none.json"))
    assert load_accelerator("h100").memory_gib == 81.0
    (tmp_path / "broken.json").write_text("[1, 2")
    monkeypatch.setattr(HARDWARE, "memory", str(tmp_path / "broken.json"))
    assert [each.id for each in load_accelerators()] == ["h100-sxm"]


def test_writing_what_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text(
        "{schema: 1, id: mine, name: Mine, vendor: Me, unit: card, flops_per_second: {fp16: 1e14}, memory_gib: 16,"
        " source: me, verified: unverified, trap: none known}\n"
    )
    monkeypatch.setattr(HARDWARE, "folder", str(tmp_path))
    monkeypatch.setattr(HARDWARE, "memory", str(tmp_path / "memory.json"))
    HARDWARE.write()
    assert json.loads((tmp_path / "memory.json").read_text())["mine"]["names"] == ["mine", "Mine", "Me mine", "Me Mine"]
    assert load_accelerator("me-mine").source == "me"
    assert HARDWARE.names() == ["mine"]


WRONG_CHIPS = {
    "id: mine\nflops_per_second: {bf17: 1e15}": (2, "flops_per_second.bf17 is not a key", "did you mean bf16?"),
    "id: mine\nflops_per_second: {bf16: -1e15}": (2, "flops_per_second.bf16 is -1e+15: expected a number above", ""),
    "id: mine\nflops_per_second: {bf16: 989 TFLOPS}": (2, "flops_per_second.bf16 is '989 TFLOPS': expected a numb", ""),
    "id: mine\nflops_per_second: {}": (2, "flops_per_second is a mapping: expected dense peaks", ""),
    "id: mine": (1, "the file has no flops_per_second: expected dense peaks, FLOP/s", ""),
    "flops_per_second: {bf16: 1e15}": (1, "the file has no id", ""),
    "id: My Chip\nflops_per_second: {bf16: 1e15}": (1, "id is 'My Chip': expected a name of a-z", ""),
    "id: mine\nflops_per_second: {bf16: 1e15}\nmemory: 80": (3, "memory is not a key", "did you mean memory_gib?"),
    "id: mine\nflops_per_second: {bf16: 1e15}\nverified: trust me": (3, "verified is 'trust me': expected one of", ""),
    "schema: 2\nid: mine": (1, "schema is 2: this version reads schema 1", ""),
    "id: mine\nid: mine": (2, "duplicate key id", ""),
    "id: &a mine": (1, "id: anchors and aliases are not allowed", ""),
    "- h100": (1, "expected a mapping", ""),
    "id: mine\nflops_per_second: {bf16: .inf}": (2, "flops_per_second.bf16: .inf is not finite", ""),
    "id: mine\nflops_per_second: {bf16: 1e15}\nsources_agreeing: 1.5": (3, "sources_agreeing is 1.5: expected a w", ""),
}


@pytest.mark.parametrize("text", WRONG_CHIPS)
def test_wrong_accelerators(text: str) -> None:
    """Each error names file, line and key."""
    line, message, hint = WRONG_CHIPS[text]
    with pytest.raises(FileError) as caught:
        HARDWARE.parse(text + "\n", "mine.yaml")
    assert caught.value.message.startswith(f"mine.yaml line {line}: {message}"), caught.value
    assert not hint or caught.value.hints[0] == hint


WRONG_MODELS = {
    "kind: mixture": "kind is 'mixture': expected one of dense, moe",
    "date: 2024-13": "date is '2024-13': expected a year or a month, such as 2024-07",
    "active_params: 1e9": "active_params stands in a model of kind dense",
    "kind: moe\nparams: 1e9\nactive_params: 2e9": "active_params is 2e+09: expected at most params, 1e+09",
    "mfu: 46.2": "mfu is 46.2: expected a number above zero, at most 1",
    "tokens: 0": "tokens is 0: expected a number above zero",
    "letters: {tokens: P}": "letters.tokens says how a figure was read that is not there",
    "tokens: 1e9\nletters: {tokens: X}": "letters.tokens is 'X': expected letters of P, C, Q",
    "letters: {date: P}": "letters.date is not a key of this section",
}


@pytest.mark.parametrize("text", WRONG_MODELS)
def test_wrong_models(text: str) -> None:
    with pytest.raises(FileError) as caught:
        MODELS.parse(f"id: mine\n{text}\n", "mine.yaml")
    last = 1 + len(text.splitlines())
    assert caught.value.message.startswith(f"mine.yaml line {last}: {WRONG_MODELS[text]}"), caught.value


def test_a_shipped_file_says_more() -> None:
    """A shipped preset carries its file's name and its source."""
    text = (Path(HARDWARE.folder) / "t4.yaml").read_text(encoding="utf-8")
    with pytest.raises(FileError, match="id is 't4' in a file named t5"):
        HARDWARE.parse(text, "t5.yaml", shipped=True)
    for key in ("source", "trap", "vendor", "name", "schema"):
        without = "\n".join(line for line in text.splitlines() if not line.startswith(f"{key}:"))
        without = without if key != "source" else without.replace("  Lightning", "# Lightning")
        with pytest.raises(FileError, match=f"the file has no {key}: a shipped preset says it"):
            HARDWARE.parse(without, "t4.yaml", shipped=True)
