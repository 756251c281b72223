"""Names that say what a thing is, documented, with types that say what goes in and out."""

import ast
import re

VAGUE = re.compile(r"(^|_)(utils?|helpers?|common|managers?|base|misc|stuff)(_|$)", re.IGNORECASE)
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def test_the_pattern_of_vague_words_finds_them():
    found = [word for word in ("utils", "db_helpers", "UserManager", "BaseModel", "common") if _vague(word)]
    assert found == ["utils", "db_helpers", "UserManager", "BaseModel", "common"]
    assert not any(_vague(word) for word in ("database", "baseline", "uncommon_values", "helpful", "management"))


def test_no_file_has_a_vague_name(product, tests):
    parts = [
        (source.name, part) for source in (*product, *tests) for part in source.name.removesuffix(".py").split("/")
    ]
    assert [name for name, part in parts if _vague(part)] == []


def test_no_class_or_function_has_a_vague_name(product):
    vague = [
        f"{source.at(node)}: {node.name}"
        for source in product
        for node in source.nodes(*DEFINITIONS)
        if _vague(node.name)
    ]
    assert not vague, "\n".join(vague)


def test_everything_public_is_documented(product):
    silent = [
        source.at(node) if hasattr(node, "lineno") else source.name
        for source in product
        for node in (source.tree, *_public(source))
        if not (ast.get_docstring(node) or "").strip()
    ]
    assert not silent, "\n".join(silent)


def test_no_public_signature_holds_any_or_a_bare_container(product):
    loose = [
        f"{source.at(node)} {node.name}: {ast.unparse(annotation)}"
        for source in product
        for node in _public(source)
        if not isinstance(node, ast.ClassDef)
        for annotation in _annotations(node)
        if _loose(annotation)
    ]
    assert not loose, "\n".join(loose)


def test_what_counts_as_loose():
    loose = ["dict", "Any", "typing.Any", "dict[str, Any]", "list[dict]", "dict[str, object]"]
    tight = ["dict[str, int]", "Mapping[str, bytes]", "tuple[int, ...]", "list[dict[str, int]]"]
    assert [text for text in (*loose, *tight) if _loose(ast.parse(text, mode="eval").body)] == loose


def _vague(name):
    return VAGUE.search(CAMEL.sub("_", name)) is not None


def _public(source):
    """Public functions and classes of a module, and public methods of its public classes."""
    for node in source.tree.body:
        if isinstance(node, DEFINITIONS) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (
                    inner
                    for inner in node.body
                    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and not inner.name.startswith("_")
                )


def _annotations(function):
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    hints = [argument.annotation for argument in every if argument is not None]
    return [hint for hint in (*hints, function.returns) if hint is not None]


def _loose(annotation):
    filled = {id(node.value) for node in ast.walk(annotation) if isinstance(node, ast.Subscript)}
    for node in ast.walk(annotation):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name == "Any" or (name in {"dict", "list", "tuple", "set"} and id(node) not in filled):
            return True
        if isinstance(node, ast.Subscript) and ast.unparse(node).replace(" ", "") == "dict[str,object]":
            return True
    return False
