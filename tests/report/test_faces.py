"""Markdown, annotations, JUnit and SARIF: each is read back by a reader of its own, whatever the names say."""

import html
import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from lxml import etree
from markdown_it import MarkdownIt

from scaling_cli.core.checking import FAIL_ON
from scaling_cli.core.findings import (
    ADDED,
    COUNTED,
    DENY,
    KNOWN,
    REMOVED,
    SAME,
    TOTAL,
    WARN,
    Change,
    Checked,
    Difference,
    Finding,
)
from scaling_cli.errors import InputError
from scaling_cli.report.faces import FACES, render_check, render_diff
from scaling_cli.report.text import clean_line
from scaling_cli.report.wording import summary

SCHEMAS = Path(__file__).parents[1] / "schemas"
SARIF = Draft7Validator(json.loads((SCHEMAS / "sarif-schema-2.1.0.json").read_text(encoding="utf-8")))
JUNIT = etree.XMLSchema(etree.parse(str(SCHEMAS / "junit-10.xsd")))
OWN_BLOCKS = r"(<!-- scaling-(check|diff) -->|<details><summary>\d+ notes?</summary>|</details>)\n*"
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])

COSTLY = Finding(
    *("7b-base", "max dollars", DENY, 212e3, 2e5, 0.06, "budgets/scaling.yaml", 12),
    message="costs 212k dollars, 6 % over 200k",
    remedy="1.1T tokens would do",
)
LONG = Finding(TOTAL, "max_increase flops", WARN, 1.3e22, 1.1e22, 0.18, "budgets/scaling.yaml", 4, "up by 30 %")
CHECKED = Checked((COSTLY, LONG), False, {"flops": 1.3e22, "days": None}, 3, "budgets/scaling.yaml", ("far out",))
CHANGES = (
    Change("7b-base", "flops", None, 1e22, None, None, ADDED),
    Change("old", "flops", 2e22, None, None, None, REMOVED),
    Change("13b", "dollars", None, 5e4, None, None, KNOWN),
    Change(TOTAL, "dollars", 2e5, 2.5e5, 5e4, 0.25),
    Change(TOTAL, "days", 30.0, 27.0, -3.0, -0.1),
)
DIFFERENCE = Difference(CHANGES, (COSTLY, LONG), file="budgets/scaling.yaml", notes=("prices of today",))

HOSTILE = [
    *(
        "|",
        "\\",
        "\\|",
        "`",
        "```",
        "\n",
        "\r\n",
        "\u2028",
        "\n\n# x\n",
        "\n- x",
        "    x",
        "\t",
        "---",
        "~~~",
        "\0",
        "\x1b[2J",
    ),
    *("<b>", "</code>", "<!--", "-->", "<script>", "&amp;", "&#124;", "&", "]]>", "<![CDATA[", '"', "'", "</testcase>"),
    *("@bob", "#1", "!2", ":smile:", "$x$", "https://e.com", "www.e.com", "a@e.com", "[a](https://e.com)", "![a](b)"),
    *("**b**", "_i_", "~~s~~", "[^1]", "{0}", "{{", "::error::x", "::stop-commands::x", "##[add-mask]x", "%0A", "%25"),
    *(
        ",line=9",
        "%",
        ":",
        ",",
        "\u202e",
        "\u200b",
        "\ufffe",
        "\uffff",
        "\ud800",
        "\U000e0041",
        "🙂",
        "é",
        "NaN",
        "EOF",
    ),
]
texts = st.lists(st.sampled_from(HOSTILE) | st.text(st.characters(), max_size=8), max_size=5).map("".join)
numbers = st.none() | st.floats()
rules = texts | st.sampled_from(["max dollars", "min tokens_per_param", "max_increase flops"])
findings = st.builds(
    Finding,
    *(
        texts,
        rules,
        st.sampled_from([DENY, WARN]),
        numbers,
        numbers,
        numbers,
        texts,
        st.integers(0, 10**6),
        texts,
        texts,
    ),
)
checks = st.builds(
    Checked,
    st.lists(findings, max_size=4).map(tuple),
    st.booleans(),
    st.dictionaries(texts | st.just("flops"), numbers, max_size=2),
    st.integers(0, 9),
    texts,
    st.lists(texts, max_size=2).map(tuple),
    fail_on=st.sampled_from(FAIL_ON),
)
statuses = st.sampled_from([ADDED, REMOVED, KNOWN, SAME]) | texts
differences = st.builds(
    Difference,
    st.lists(st.builds(Change, texts, texts, numbers, numbers, numbers, numbers, statuses), max_size=4).map(tuple),
    st.lists(findings, max_size=2).map(tuple),
    file=texts,
    notes=st.lists(texts, max_size=2).map(tuple),
)
few = settings(max_examples=60)


def shows(shown: str, text: str) -> bool:
    """Whether a text is shown on one line, as it is or cut."""
    line = clean_line(text)
    return shown == line or (shown.endswith("...") and line.startswith(shown[:-3]))


# --- GitHub annotations, read as the runner does (actions/runner, ActionCommand.cs: TryParseV2) ---


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    line = line.strip()
    assert line.startswith("::")
    info, _, message = line[2:].partition("::")
    name, _, given = info.partition(" ")
    properties = dict(part.partition("=")[::2] for part in given.split(",") if part)
    return name, {key: unescape(value, "%:,") for key, value in properties.items()}, unescape(message, "%")


def unescape(text: str, marks: str) -> str:
    for mark in f"\r\n{marks[1:]}%":
        text = text.replace(f"%{ord(mark):02X}", mark)
    return text


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    assert text == "" or text.endswith("\n")
    return [read_command(line) for line in re.split(r"\r\n|[\n\r]", text)[:-1]]


def test_annotations_stand_at_the_key_that_offends() -> None:
    assert commands(render_check(CHECKED, "github")) == [
        (
            "error",
            {"file": "budgets/scaling.yaml", "line": "12", "title": "max dollars: 7b-base"},
            "costs 212k dollars, 6 % over 200k\n1.1T tokens would do",
        ),
        (
            "warning",
            {"file": "budgets/scaling.yaml", "line": "4", "title": "max_increase flops: total"},
            "up by 30 %",
        ),
        ("notice", {"title": "scaling check"}, "far out"),
    ]


def test_annotations_escape_as_documented() -> None:
    finding = COSTLY._replace(run="a,b:c", file="a,b:c%.yaml", message="100 %\n::error::x", remedy="")
    line = render_check(Checked((finding,), False, {}, 1), "github")
    assert line == "::error file=a%2Cb%3Ac%25.yaml,line=12,title=max dollars%3A a%2Cb%3Ac::100 %25 ::error::x\n"


@few
@given(checks)
def test_annotations_are_one_line_each(checked: Checked) -> None:
    said = commands(render_check(checked, "github"))
    own = [command for command in said if command[0] != "notice"]
    ordered = sorted(checked.findings, key=lambda finding: not checked.counts(finding))
    assert len(own) == len(ordered)
    assert len(said) - len(own) == bool(checked.notes or (checked.findings and checked.fail_on != DENY))
    for (name, properties, message), finding in zip(own, ordered, strict=True):
        assert name == ("error" if checked.counts(finding) else "warning")
        assert set(properties) <= {"file", "line", "title"}
        assert ("line" in properties) == (finding.line > 0 and "file" in properties)
        assert clean_line(finding.rule)[:20] in properties["title"]
        assert message.count("\n") <= 1
        assert "\r" not in message


def test_annotations_say_what_was_cut() -> None:
    found = tuple(COSTLY._replace(run=f"r{n}") for n in range(13)) + (LONG,) * 11
    said = commands(render_check(CHECKED._replace(findings=found), "github"))
    assert [name for name, _, _ in said] == ["error"] * 10 + ["warning"] * 10 + ["notice"]
    assert "3 more errors not shown" in said[-1][2]
    assert "1 more warning not shown" in said[-1][2]


def test_a_diff_is_one_notice_with_the_sums_first_and_an_error_for_each_broken_rule() -> None:
    *errors, (name, properties, message) = commands(render_diff(DIFFERENCE, "github"))
    assert (name, properties) == ("notice", {"title": "scaling diff"})
    assert message.split("\n") == [
        "1 run changed, 1 added, 1 removed",
        "total dollars: 200k to 250k (+50k, +25.0 %)",
        "total days: 30 to 27 (-3, -10.0 %)",
        "7b-base flops: 1e22 (added)",
        "old flops: 2e22 (removed)",
        "13b dollars: 50k (now known)",
        "prices of today",
    ]
    assert [(name, properties["title"], properties["line"]) for name, properties, _ in errors] == [
        ("error", "max dollars: 7b-base", "12"),
        ("error", "max_increase flops: total", "4"),
    ]
    many = tuple(Change(f"r{n}", "flops", 1.0, 2.0, 1.0, 1.0) for n in range(50))
    assert "and 31 more lines" in render_diff(Difference(many), "github")


# --- JUnit ---


def read_junit(text: str) -> etree._Element:
    root = etree.fromstring(text.encode())
    JUNIT.assertValid(root)
    cases = root.findall(".//testcase")
    failures = root.findall(".//failure")
    for counted in (root, root[0]):
        assert (counted.get("tests"), counted.get("failures")) == (str(len(cases)), str(len(failures)))
    return root


def test_junit_fails_what_is_denied() -> None:
    root = read_junit(render_check(CHECKED, "junit"))
    first, second = root.findall("testsuite/testcase")
    assert (first.get("classname"), first.get("name")) == ("7b-base", "max dollars: 7b-base")
    assert first[0].get("message") == "costs 212k dollars, 6 % over 200k"
    assert first[0].text == "budgets/scaling.yaml:12: costs 212k dollars, 6 % over 200k\n1.1T tokens would do"
    assert [child.tag for child in second] == ["system-out"]
    assert root.findtext("testsuite/system-out") == "note: far out"


@pytest.mark.parametrize(("fail_on", "failures"), [("deny", 1), ("warn", 2), ("never", 0)])
def test_every_face_fails_as_the_check_does(fail_on: str, failures: int) -> None:
    """Warnings fail it under --fail-on warn, nothing does under --fail-on never."""
    checked = CHECKED._replace(fail_on=fail_on, passed=not failures)
    assert read_junit(render_check(checked, "junit")).get("failures") == str(failures)
    levels = [result["level"] for result in read_sarif(render_check(checked, "sarif"))["results"]]
    assert levels.count("error") == failures
    names = [name for name, _, _ in commands(render_check(checked, "github"))]
    assert names == ["error"] * failures + ["warning"] * (2 - failures) + ["notice"]
    text = render_check(checked, "markdown")
    assert [row[0].split()[0] for row in read_tables(text)[-1]].count("error") == failures
    assert f"### Budget {'fails' if failures else 'passes'}: " in text


def test_every_level_of_fail_on_counts_something_known() -> None:
    assert set(COUNTED) == set(FAIL_ON)


def test_a_broken_rule_fails_in_every_face_of_a_diff() -> None:
    """Whatever its level: it was named."""
    assert read_junit(render_diff(DIFFERENCE, "junit")).get("failures") == "2"
    results = read_sarif(render_diff(DIFFERENCE, "sarif"))["results"]
    assert [result["level"] for result in results] == ["error"] * 2 + ["none"] * len(CHANGES)
    assert [result["ruleId"] for result in results[:3]] == ["max/dollars", "max_increase/flops", "change"]
    text = render_diff(DIFFERENCE, "markdown")
    assert "### Budget: 1 run changed, 1 added, 1 removed, 2 new findings\n" in text
    assert [plain(row[0]) for row in read_tables(text)[0]] == ["error (deny)", "error (warn)"]


def test_sarif_says_what_became_of_a_number() -> None:
    properties = [result["properties"] for result in read_sarif(render_diff(DIFFERENCE, "sarif"))["results"][2:]]
    assert [each["status"] for each in properties] == ["added", "removed", "now known", "changed", "changed"]
    assert properties[3]["change"] == 5e4
    assert "old" not in properties[0]


def test_junit_of_a_clean_check_has_a_test_that_passes() -> None:
    root = read_junit(render_check(Checked((), True, {}, 3), "junit"))
    assert root[0][0].get("name") == "3 runs within every rule"


@few
@given(checks, differences)
def test_junit_is_valid_whatever_the_names(checked: Checked, found: Difference) -> None:
    cases = read_junit(render_check(checked, "junit")).findall("testsuite/testcase")
    assert len(cases) == max(len(checked.findings), 1)
    for case, finding in zip(cases, checked.findings, strict=False):
        assert shows(case.get("classname", ""), re.sub("[\ufffe\uffff]", "", finding.run))
    cases = read_junit(render_diff(found, "junit")).findall("testsuite/testcase")
    assert len(cases) == len(found.changes) + len(found.broken)


# --- SARIF ---


def read_sarif(text: str) -> dict:
    log = json.loads(text, parse_constant=pytest.fail)
    SARIF.validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [result["ruleId"] for result in run["results"]]
    return run


def test_sarif_gives_rule_level_and_place() -> None:
    first, second = read_sarif(render_check(CHECKED, "sarif"))["results"]
    assert (first["ruleId"], first["level"]) == ("max/dollars", "error")
    assert first["message"]["text"] == "7b-base: costs 212k dollars, 6 % over 200k; 1.1T tokens would do"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "budgets/scaling.yaml"},
        "region": {"startLine": 12},
    }
    assert (second["ruleId"], second["level"]) == ("max_increase/flops", "warning")


def test_sarif_fingerprints_outlive_a_moved_line_and_another_value() -> None:
    moved = COSTLY._replace(line=40, value=3e5, message="other words")
    prints = [
        read_sarif(render_check(CHECKED._replace(findings=(finding,)), "sarif"))["results"][0]["partialFingerprints"]
        for finding in (COSTLY, moved, COSTLY._replace(run="8b"))
    ]
    assert prints[0] == prints[1] != prints[2]


def test_sarif_messages_hold_no_links_and_no_placeholders() -> None:
    finding = COSTLY._replace(run="r", message="see {0} [here](https://e.com)", remedy="")
    (result,) = read_sarif(render_check(Checked((finding,), False, {}, 1), "sarif"))["results"]
    assert result["message"]["text"] == "r: see {{0}} [here] (https://e.com)"


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("./a b/%é:#?.yaml", "a%20b/%25%C3%A9%3A%23%3F.yaml"),
        (str(Path.cwd() / "scaling.yaml"), "scaling.yaml"),
        ("/elsewhere/x.yaml", "file:///elsewhere/x.yaml"),
    ],
)
def test_sarif_places_are_relative_and_encoded(file: str, uri: str) -> None:
    (result,) = read_sarif(render_check(Checked((COSTLY._replace(file=file),), False, {}, 1), "sarif"))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


@few
@given(checks, differences)
def test_sarif_is_valid_whatever_the_names(checked: Checked, found: Difference) -> None:
    results = read_sarif(render_check(checked, "sarif"))["results"]
    assert len(results) == len(checked.findings)
    for result, finding in zip(results, checked.findings, strict=True):
        place = result["locations"][0].get("physicalLocation")
        if place is None:
            continue
        uri = place["artifactLocation"]["uri"]
        assert re.fullmatch(r"(file://)?(%[0-9A-F]{2}|[A-Za-z0-9._~/-])+", uri)
        assert place.get("region", {"startLine": 1})["startLine"] >= 1
        assert unquote(uri, errors="surrogatepass").removeprefix("file://") == str(Path(finding.file or checked.file))
    results = read_sarif(render_diff(found, "sarif"))["results"]
    assert len(results) == len(found.changes) + len(found.broken)


# --- markdown: a table splitter of our own for the cells, a CommonMark parser for what acts ---


def read_tables(text: str) -> list[list[list[str]]]:
    """Return the cells of each table below its head, split as GitHub does: at every | without a \\ before it."""
    tables: list[list[list[str]]] = []
    for line in text.split("\n"):
        if re.fullmatch(r"\|( --- \|)+", line):
            tables.append([])
        elif line.startswith("| ") and tables and "<code>" in line:
            tables[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return tables


def plain(cell: str) -> str:
    return html.unescape(re.sub(r"</?(code|span)>", "", cell)).replace("\u200b", "")


def refuse_acting(text: str) -> None:
    """Fail where markdown does more than tables, headings, our own elements and lists."""
    for block in MARKDOWN.parse(text):
        assert block.type in ("inline", "html_block") or re.match(
            "heading|table|thead|tbody|tr|th|td|paragraph|bullet|list", block.type
        )
        assert block.type != "html_block" or re.fullmatch(OWN_BLOCKS, block.content)
        for token in block.children or []:
            assert token.type in ("text", "html_inline", "text_special", "softbreak")
            assert token.type != "html_inline" or token.content in ("<code>", "</code>", "<span>", "</span>")
        said = "".join(token.content for token in block.children or [] if token.type != "html_inline")
        assert not re.search(r"[@#!~]\w|:\w+:|://|www\.", said)
        assert not re.search(r"\$(?!</span>)", block.content)


def test_markdown_says_verdict_sums_findings_and_notes() -> None:
    text = render_check(CHECKED, "markdown")
    assert text.startswith("<!-- scaling-check -->\n\n### Budget fails: 1 error, 1 warning in 3 runs\n")
    sums, found = read_tables(text)
    assert [[plain(cell) for cell in row[:2]] for row in sums] == [["flops", "1.3e22"]]
    assert [plain(cell) for cell in found[0]] == [
        *("error", "7b-base", "max dollars", "212k", "200k", "6.0 %", "budgets/scaling.yaml line 12"),
        "costs 212k dollars, 6 % over 200k; 1.1T tokens would do",
    ]
    assert text.endswith("\n\n- note: far out\n\n</details>\n")
    refuse_acting(text)


def test_a_value_that_barely_misses_its_limit_looks_different_from_it() -> None:
    barely = Finding("a", "max memory_bytes", DENY, 80.0004e9, 8e10, 5e-6)
    (row,) = read_tables(render_check(Checked((barely,), False, {}, 1), "markdown"))[0]
    assert [plain(cell) for cell in row[3:6]] == ["80.0004 GB", "80 GB", "5e-4 %"]


def test_markdown_of_a_diff_has_the_sums_first() -> None:
    text = render_diff(DIFFERENCE, "markdown")
    assert text.startswith("<!-- scaling-diff -->\n")
    rows = read_tables(text)[-1]
    assert [[plain(cell) for cell in row] for row in rows] == [
        ["total", "dollars", "200k", "250k", "+50k", "+25.0 %"],
        ["total", "days", "30", "27", "-3", "-10.0 %"],
        ["7b-base", "flops", "-", "1e22", "added", "-"],
        ["old", "flops", "2e22", "-", "removed", "-"],
        ["13b", "dollars", "-", "50k", "now known", "-"],
    ]
    refuse_acting(text)


def test_markdown_says_when_nothing_changed() -> None:
    text = render_diff(Difference((Change(TOTAL, "flops", 1e22, 1e22, 0.0, 0.0, SAME),)), "markdown")
    assert "### Budget: nothing changed\n" in text
    assert text.count("nothing changed") == 1


def test_runs_are_counted_not_their_numbers() -> None:
    assert summary([Change("a", name, None, 1.0, None, None, ADDED) for name in ("flops", "days")]) == "1 run added"
    assert summary([Change(run, "days", 1.0, 2.0, 1.0, 1.0) for run in ("a", "b", TOTAL)]) == "2 runs changed"
    assert summary([]) == "nothing changed"


@few
@given(checks, differences)
def test_markdown_is_inert_whatever_the_names(checked: Checked, found: Difference) -> None:
    text = render_check(checked, "markdown")
    refuse_acting(text)
    rows = read_tables(text)[-1] if checked.findings else []
    for row, finding in zip(rows, checked.findings, strict=True):
        assert len(row) == 8
        assert shows(plain(row[1]), finding.run)
        assert shows(plain(row[2]), finding.rule)
    text = render_diff(found, "markdown")
    refuse_acting(text)
    tables = read_tables(text)
    assert [len(row) for rows in tables for row in rows] == [8] * len(found.broken) + [6] * len(found.changes)


@pytest.mark.parametrize("text", ["short", "|" * 500, "🙂<" * 5000, "$" * 2000])
def test_markdown_stays_within_a_comment(text: str) -> None:
    found = tuple(COSTLY._replace(run=f"r{n} {text}", message=text) for n in range(3000))
    checked = CHECKED._replace(findings=found, notes=(text,) * 100)
    changed = tuple(Change(f"r{n} {text}", text, 1.0, 2.0, 1.0, 1.0) for n in range(3000))
    difference = Difference(changed, found, notes=(text,))
    for rendered, cut in ((render_check(checked, "markdown"), [1]), (render_diff(difference, "markdown"), [0, 1])):
        assert len(rendered) <= 65_536
        kept = [len(read_tables(rendered)[table]) for table in cut]
        left = re.findall(r"^(\d+) more (?:finding|change)s left out", rendered, re.MULTILINE)
        assert [number + int(rest) for number, rest in zip(kept, left, strict=True)] == [3000] * len(cut)
        assert min(kept) > 0


def test_unknown_formats_are_refused() -> None:
    assert FACES == ("markdown", "github", "junit", "sarif")
    with pytest.raises(InputError, match="no format named 'xml'"):
        render_check(CHECKED, "xml")
    with pytest.raises(InputError, match="no format named 'xml'"):
        render_diff(DIFFERENCE, "xml")
