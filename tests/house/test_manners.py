"""What a reader may rely on: no swallowed errors, no pickles, no sleeps, no silence without a reason."""

import ast
import re

SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no cover|nosec)\b(?P<rest>.*)")
CODES = re.compile(r"^(:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*|\[[a-z-]+(,\s*[a-z-]+)*\])(?P<reason>.*)$")
UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
DOORS_THAT_READ_THE_ENVIRONMENT = {
    "src/drivetrain/__init__.py",
    "src/drivetrain/cli/options.py",
    "src/drivetrain/serve/__main__.py",
    "src/drivetrain/serve/worker.py",  # the credential of whoever words answers is named by the release
    "src/drivetrain/store/code_child.py",  # a person's code gets the few variables it needs, and none of the secrets
    "src/drivetrain/store/tracking.py",  # a process of its own, which tells MLflow in the only way MLflow knows
}
PRINTERS = {"src/drivetrain/cli/output.py"}


def test_every_suppression_names_its_rule_and_its_reason(product, tests):
    unexplained = [
        f"{source.name}:{number}: {line.strip()}"
        for source in (*product, *tests)
        if not source.name.startswith("tests/house/")
        for number, line in enumerate(source.lines, 1)
        if (found := SUPPRESSION.search(line)) and not _explained(found["rest"])
    ]
    assert not unexplained, "\n".join(unexplained)


def test_what_counts_as_explained():
    assert _explained(": S603 - our own module, no shell")
    assert _explained("[arg-type]  # Door is the first of P")
    assert not any(_explained(rest) for rest in ("", ": S603", "[arg-type]", " whatever", ": S603 -"))


def test_a_broad_except_raises_again_or_stands_at_a_process_boundary_with_its_reason(product):
    broad = [
        source.at(handler)
        for source in product
        for handler in source.nodes(ast.ExceptHandler)
        if _is_broad(handler) and not isinstance(handler.body[-1], ast.Raise) and not _at_boundary(source, handler)
    ]
    assert not broad, "\n".join(broad)


def test_no_error_is_passed_over_in_silence(product):
    silent = [
        source.at(handler)
        for source in product
        for handler in source.nodes(ast.ExceptHandler)
        if _is_broad(handler) and all(isinstance(step, ast.Pass) for step in handler.body)
    ]
    assert not silent, "\n".join(silent)


def test_no_pickle_is_loaded(product):
    assert [
        f"{source.at(node)}: {name}"
        for source in product
        for node in source.nodes(ast.Import, ast.ImportFrom)
        for name in _modules(node)
        if name.partition(".")[0] in UNPICKLERS
    ] == []
    assert [source.at(call) for source in product for call in source.nodes(ast.Call) if _allows_pickle(call)] == []


def test_no_dataclass_is_first_looked_at_by_msgspec_in_two_threads(product):
    """A decoder is made once, at the top of a module, or by ``core.decoding``, which says why."""
    assert [
        source.at(call)
        for source in product
        for call in source.nodes(ast.Call)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "decode"
        and any(argument.arg == "type" for argument in call.keywords)
    ] == []


def test_the_environment_is_read_at_the_doors(product):
    readers = {
        source.name
        for source in product
        for node in source.nodes(ast.Attribute, ast.Name)
        if (node.attr if isinstance(node, ast.Attribute) else node.id) in {"environ", "getenv", "environb"}
    }
    assert readers - DOORS_THAT_READ_THE_ENVIRONMENT == set()


def test_only_the_command_line_and_the_server_print(product):
    """A server's log is its standard error; its standard output has the line that says where it answers."""
    printing = [
        source.at(call)
        for source in product
        if source.name not in PRINTERS and source.room != "serve"
        for call in source.nodes(ast.Call)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]
    assert not printing, "\n".join(printing)


def test_no_test_sleeps(tests):
    assert [
        source.at(call)
        for source in tests
        for call in source.nodes(ast.Call)
        if ast.unparse(call.func) in {"time.sleep", "sleep"}
    ] == []


def test_no_test_is_skipped_without_a_reason(tests):
    unexplained = [
        source.at(call)
        for source in tests
        for call in source.nodes(ast.Call)
        if _name(call).rpartition(".")[2] in {"skip", "skipif", "xfail", "importorskip"} and not _has_reason(call)
    ]
    assert not unexplained, "\n".join(unexplained)
    bare = [
        source.at(node)
        for source in tests
        for node in source.nodes(ast.FunctionDef, ast.ClassDef)
        for mark in node.decorator_list
        if ast.unparse(mark) in {"pytest.mark.skip", "pytest.mark.xfail"}
    ]
    assert not bare, "\n".join(bare)


def test_no_work_is_left_for_later(product):
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    left = [
        f"{source.name}:{number}: {line.strip()}"
        for source in product
        for number, line in enumerate(source.lines, 1)
        if marks.search(line)
    ]
    assert not left, "\n".join(left)
    stubs = [
        source.at(node)
        for source in product
        if source.room != "testing"  # the contract suites leave to a plugin's author what only they can say
        for node in source.nodes(ast.Raise)
        if node.exc is not None and ast.unparse(node.exc) in {"NotImplementedError", "NotImplementedError()"}
    ]
    assert not stubs, "\n".join(stubs)


def _explained(rest):
    found = CODES.match(rest.strip())
    return found is not None and re.search(r"[A-Za-z]{3,}", found["reason"]) is not None


def _is_broad(handler):
    return handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"}


def _at_boundary(source, handler):
    """In a room of processes, or in a module that is run as one, and with its reason beside it."""
    process = source.room in {"cli", "serve"} or 'if __name__ == "__main__":' in source.text
    return process and "#" in source.lines[handler.lineno - 1]


def _modules(node):
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]


def _allows_pickle(call):
    return any(
        keyword.arg == "allow_pickle" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        for keyword in call.keywords
    )


def _name(call):
    return ast.unparse(call.func)


def _has_reason(call):
    """A reason given by name, or as the text that `skip` takes first."""
    named = [keyword.value for keyword in call.keywords if keyword.arg == "reason"]
    first = call.args if _name(call).endswith(".skip") else []
    return any(not (isinstance(value, ast.Constant) and not value.value) for value in (*named, *first))
