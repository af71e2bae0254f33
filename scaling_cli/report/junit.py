"""JUnit XML, as the schema of the Jenkins xUnit plugin (junit-10.xsd) has it: a finding is a test case.

Pure ASCII, characters beyond it as references, so that no encoding on the way can spoil it.
"""

import re
from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from scaling_cli.core.findings import Checked, Difference, Finding
from scaling_cli.report.wording import change_line, count, mark, place, remarks, sentences, shorten, title

# what XML 1.0 (section 2.2, Char) does not allow, not even as a reference
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_check(checked: Checked) -> str:
    """Return a suite with a test case for each finding, or one that passes where there are none."""
    suite = _suite("scaling check", checked.file or "budget")
    for finding in checked.findings:
        _add_finding(suite, finding, checked)
    if not checked.findings:
        _add_case(suite, "scaling check", f"{count(checked.runs, 'run')} within every rule")
    return _finish(suite, remarks(checked))


def junit_diff(found: Difference) -> str:
    """Return a suite with a test case that fails for each broken rule, and one that passes for each change."""
    suite = _suite("scaling diff", "budget")
    for finding in found.broken:
        _add_finding(suite, finding, found.checked)
    for change in found.changes:
        case = _add_case(suite, shorten(change.run), shorten(change.quantity))
        _add_text(case, "system-out", change_line(change))
    return _finish(suite, found.notes)


def _add_finding(suite: Element, finding: Finding, checked: Checked) -> None:
    """Add a case that fails, or where the finding does not count one that passes and says it."""
    file, line = place(finding, checked)
    where = f"{shorten(file)}{f':{line}' if line else ''}: " if file else ""
    said = sentences(finding)
    case = _add_case(suite, shorten(finding.run), title(finding))
    if checked.counts(finding):
        failure = _add_text(case, "failure", where + "\n".join(said))
        failure.attrib.update(type=_allowed(shorten(finding.rule)), message=_allowed(said[0]))
    else:
        _add_text(case, "system-out", f"{where}{mark(finding, checked)}: " + "\n".join(said))


def _suite(group: str, name: str) -> Element:
    """Return a test suite; its counts are filled in at the end, its place is in `testsuites`."""
    return Element("testsuite", name=_allowed(shorten(name)), package=group)


def _add_case(suite: Element, group: str, name: str) -> Element:
    return SubElement(suite, "testcase", classname=_allowed(group), name=_allowed(name))


def _add_text(parent: Element, tag: str, text: str) -> Element:
    child = SubElement(parent, tag)
    child.text = _allowed(text)
    return child


def _finish(suite: Element, notes: Sequence[str]) -> str:
    """Return the document, with the counts and the notes."""
    tests = len(suite)
    counts = {"tests": str(tests), "failures": str(len(suite.findall("testcase/failure"))), "errors": "0"}
    if notes:
        _add_text(suite, "system-out", "\n".join(f"note: {shorten(note)}" for note in notes))
    suite.attrib.update(counts)
    root = Element("testsuites", {"name": suite.attrib["package"]} | counts)
    root.append(suite)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=False).decode("ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _allowed(text: str) -> str:
    return _FORBIDDEN.sub("", text)
