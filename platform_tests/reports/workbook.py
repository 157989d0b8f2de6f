"""Reads a workbook as a spreadsheet does: cells with their types, from the XML alone.

The rules: ECMA-376 part 1, 18.3.1.4 (cells), 18.4.8 (shared strings) and 22.4.2.4 (`_xHHHH_`).
"""

import re
import zipfile
from datetime import date, timedelta
from io import BytesIO
from xml.etree import ElementTree as ET

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_NO_DAY = date(1899, 12, 30)
"""Days are counted from here, from March 1900 on; before it from a day later, for there is a 29 February 1900."""
_LEAP_DAY_THAT_WAS_NONE = 60
_COLUMNS = "ABC"

Cell = str | int | float | date | None


def files(content: bytes) -> dict[str, bytes]:
    """The files in it, by name."""
    with zipfile.ZipFile(BytesIO(content)) as packed:
        assert packed.testzip() is None
        return {name: packed.read(name) for name in packed.namelist()}


def parts(content: bytes) -> dict[str, ET.Element]:
    """The XML in it, by name."""
    return {name: ET.fromstring(part) for name, part in files(content).items()}  # noqa: S314 (it is our own)


def cells(content: bytes) -> list[list[Cell]]:
    """The first sheet, the header too."""
    found = parts(content)
    strings = [_text(item) for item in found["xl/sharedStrings.xml"]] if "xl/sharedStrings.xml" in found else []
    styles = found["xl/styles.xml"]
    formats = {int(of.attrib["numFmtId"]): of.attrib["formatCode"] for of in styles.iter(f"{_MAIN}numFmt")}
    of_style = [formats.get(int(of.attrib["numFmtId"]), "") for of in styles.findall(f"{_MAIN}cellXfs/{_MAIN}xf")]
    sheet = found["xl/worksheets/sheet1.xml"]
    assert sheet.find(f".//{_MAIN}f") is None, "a formula"
    rows: list[list[Cell]] = []
    for row in sheet.iter(f"{_MAIN}row"):
        number = row.attrib["r"]
        while len(rows) + 1 < int(number):
            rows.append([None] * len(_COLUMNS))  # a row without any cell
        by_column = {cell.attrib["r"].removesuffix(number): _value(cell, strings, of_style) for cell in row}
        rows.append([by_column.get(column) for column in _COLUMNS])
    return rows


def _value(cell: ET.Element, strings: list[str], of_style: list[str]) -> Cell:
    kind, value = cell.attrib.get("t", "n"), cell.findtext(f"{_MAIN}v")
    if kind == "inlineStr":
        [text] = cell.findall(f"{_MAIN}is")
        return _text(text)
    if value is None:
        return None
    if kind == "s":
        return strings[int(value)]
    assert kind == "n", f"a cell of type {kind}"
    if of_style[int(cell.attrib.get("s", "0"))] == "yyyy-mm-dd":
        assert int(value) > 0, "a spreadsheet shows no such day"
        return _NO_DAY + timedelta(days=int(value) + (int(value) < _LEAP_DAY_THAT_WAS_NONE))
    return int(value) if re.fullmatch("-?[0-9]+", value) else float(value)


def _text(item: ET.Element) -> str:
    """A text; `_x000D_` is a character that XML has no place for."""
    assert item.find(f".//{_MAIN}r") is None, "a text with formats"
    [told] = item.iter(f"{_MAIN}t")
    text = told.text or ""
    if told.attrib.get(_SPACE) != "preserve":
        text = text.strip(" \t\r\n")
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda code: chr(int(code[1], 16)), text)
