"""YAML files as typed models; a mistake is one sentence with file, line and field.

What does not belong here: any one file, and what its fields mean.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from data_platform.errors import PermanentError

Model = TypeVar("Model", bound=BaseModel)


def load(path: Path, model: type[Model], wrong: type[PermanentError], **more: object) -> Model:
    """Reads one file.

    Args:
        path: The file.
        model: What it must fit.
        wrong: What is raised where it does not.
        more: Fields that the file does not hold itself, such as its name.

    Raises:
        PermanentError: Of the kind `wrong`: it is no YAML, or does not fit; the sentence names line and field.
    """
    text = path.read_text(encoding="utf-8")
    try:
        tree = cast("yaml.Node | None", yaml.compose(text, Loader=yaml.SafeLoader))
        content: object = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise wrong(f"{path.name}, line {line}: not valid YAML, {error.problem}.") from None
    except (yaml.YAMLError, ValueError) as error:  # the second for a day that is in no calendar
        raise wrong(f"{path.name}: not valid YAML, {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        needed = ", ".join(
            name for name, field in model.model_fields.items() if field.is_required() and name not in more
        )
        raise wrong(f"{path.name}, line 1: expected fields such as {needed}.")
    for line, name, fault in _twice_or_known(tree, more):
        raise wrong(f"{path.name}, line {line}, {name}: {fault}.")
    try:
        return model.model_validate({**cast("Mapping[str, object]", content), **more})
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        told = [_told(tree, fault) for fault in faults]
        raise wrong(f"{path.name}, {'; '.join(dict.fromkeys(told))}.") from None


def _twice_or_known(node: yaml.Node | None, known: Mapping[str, object]) -> Iterator[tuple[int, str, str]]:
    """Fields that stand twice, of which the last would count in silence, and those that the file does not decide."""
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _twice_or_known(value, {})
    if isinstance(node, yaml.MappingNode):
        before: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in before:
                yield line, key.value, "stands twice"
            if key.value in known:
                yield line, key.value, "is known from the file's name, leave it out"
            before.add(key.value)
            yield from _twice_or_known(value, {})


def _told(tree: yaml.Node | None, fault: ErrorDetails) -> str:
    place = [str(part) for part in fault["loc"]]
    line, in_file = _found(tree, place)
    if fault["type"] == "missing":
        in_file.append(place[-1])
    return f"line {line}, {'.'.join(in_file) or 'the whole file'}: {fault['msg'].removeprefix('Value error, ')}"


def _found(node: yaml.Node | None, place: list[str]) -> tuple[int, list[str]]:
    """The line of the deepest part of a place that the file has, and the place without what only Pydantic knows."""
    line = node.start_mark.line + 1 if node else 1
    in_file: list[str] = []
    for part in place:
        children: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        if isinstance(node, yaml.MappingNode):
            children = {key.value: (key, value) for key, value in node.value}
        elif isinstance(node, yaml.SequenceNode):
            children = {str(index): (value, value) for index, value in enumerate(node.value)}
        if part in children:
            key, node = children[part]
            line = key.start_mark.line + 1
            in_file.append(part)
    return line, in_file
