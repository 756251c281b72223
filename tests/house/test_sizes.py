"""A file is one idea, a function does one thing, and neither takes a list of everything."""

import ast

FILE_LINES, FUNCTION_LINES, PARAMETERS = 400, 60, 7


def test_a_file_stops_at_400_lines(product, tests):
    long = [f"{source.name}: {len(source.lines)}" for source in (*product, *tests) if len(source.lines) > FILE_LINES]
    assert not long, "\n".join(long)


def test_a_function_stops_at_60_lines(product, tests):
    long = [
        f"{source.at(function)} {function.name}: {_lines(function)}"
        for source in (*product, *tests)
        for function in _functions(source)
        if _lines(function) > FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


def test_a_function_takes_at_most_seven_parameters(product):
    wide = [
        f"{source.at(function)} {function.name}: {len(_parameters(function))}"
        for source in product
        for function in _functions(source)
        if len(_parameters(function)) > PARAMETERS
    ]
    assert not wide, "\n".join(wide)


def test_most_files_are_far_below_the_limit(product):
    sizes = sorted(len(source.lines) for source in product)
    assert sizes[len(sizes) // 2] <= 140, "the aim is 120 lines a file"


def _functions(source):
    return source.nodes(ast.FunctionDef, ast.AsyncFunctionDef)


def _lines(function):
    return function.end_lineno - function.lineno + 1


def _parameters(function):
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [argument.arg for argument in every if argument is not None and argument.arg not in {"self", "cls"}]
