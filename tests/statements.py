"""Follows every SQL statement of a package back to where its text comes from: the program's own, or somebody else's."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

EXECUTES = {"execute", "executemany", "executescript", "execute_fetchall"}
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Statements:
    """The statements in the files of a package."""

    def __init__(self, package: str, folder: Path) -> None:
        self.trees = {
            ".".join((package, *file.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"): ast.parse(
                file.read_text()
            )
            for file in sorted(folder.rglob("*.py"))
        }
        self._parents = {
            child: node
            for tree in self.trees.values()
            for node in ast.walk(tree)
            for child in ast.iter_child_nodes(node)
        }
        self._followed: set[tuple[Function, str]] = set()

    def not_our_own(self) -> Iterator[str]:
        """Where a statement is executed of whose text a part is not written in the program, and which part."""
        for module, tree in self.trees.items():
            for call in ast.walk(tree):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in EXECUTES:
                    yield from self._foreign(call.args[0], module)

    def _foreign(self, text: ast.expr, module: str) -> Iterator[str]:
        """The parts of an expression that are neither literals nor constants."""
        match text:
            case ast.Constant() | ast.Call(func=ast.Name("len")):
                return
            case ast.JoinedStr(parts) | ast.Tuple(parts) | ast.List(parts):
                inside = parts
            case ast.FormattedValue(part) | ast.Subscript(part) | ast.Starred(part):
                inside = [part]
            case ast.BinOp(ast.Constant(), ast.Mult(), _):  # "?" * so many
                return
            case ast.BinOp(left, _, right) | ast.IfExp(_, left, right):
                inside = [left, right]
            case ast.Call(ast.Attribute(between, "join"), [parts]):
                inside = [between, parts]
            case ast.Name() | ast.Attribute():
                yield from self._foreign_name(text, module)
                return
            case _:
                inside = []
                yield self._place(text, module)
        for part in inside:
            yield from self._foreign(part, module)

    def _foreign_name(self, name: ast.Name | ast.Attribute, module: str) -> Iterator[str]:
        root = name
        while isinstance(root, ast.Attribute):
            root = root.value  # type: ignore[assignment]
        for function in self._functions_around(name):
            if isinstance(root, ast.Name) and root.id in _parameters(function):
                yield from self._foreign_arguments(function, root.id, name, module)
                return
            values = list(_assigned(function, root.id)) if isinstance(root, ast.Name) else []
            if values:
                for value in values:
                    yield from self._foreign(value, module)
                return
        constant = eval(ast.unparse(name), dict(vars(import_module(module))))  # noqa: S307 -- a name of our own
        if not isinstance(constant, str | int | tuple):
            yield self._place(name, module)

    def _foreign_arguments(self, function: Function, parameter: str, name: ast.expr, module: str) -> Iterator[str]:
        """What callers in the package pass for a parameter."""
        if isinstance(function, ast.Lambda) or not isinstance(name, ast.Name):
            yield self._place(name, module)
            return
        if (function, parameter) in self._followed:
            return
        self._followed.add((function, parameter))
        at = _parameters(function).index(parameter)
        passed = 0
        for caller, tree in self.trees.items():
            if function.name.startswith("_") and caller != module:
                continue
            for call in ast.walk(tree):
                if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == function.name:
                    passed += 1
                    yield from self._foreign(call.args[at], caller)
        if not passed:
            yield self._place(name, module)

    def _functions_around(self, node: ast.AST) -> Iterator[Function]:
        while node in self._parents:
            node = self._parents[node]
            if isinstance(node, Function):
                yield node

    def _place(self, node: ast.expr, module: str) -> str:
        return f"{module}: {ast.unparse(node)}"


def _parameters(function: Function) -> list[str]:
    return [each.arg for each in function.args.args if each.arg != "self"]


def _assigned(function: Function, name: str) -> Iterator[ast.expr]:
    """What is assigned to a name inside a function."""
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets, value):
                pairs = [(target, value) for target in targets]
            case ast.For(target, value) | ast.AsyncFor(target, value) | ast.comprehension(target, value):
                pairs = [(target, value)]
            case ast.AnnAssign(target, _, ast.expr() as value) | ast.AugAssign(target, _, value):
                pairs = [(target, value)]
            case ast.NamedExpr(target, value):
                pairs = [(target, value)]
            case _:
                continue
        yield from (value for target, value in pairs if name in {each.id for each in _names(target)})


def _names(target: ast.expr) -> Iterator[ast.Name]:
    return (node for node in ast.walk(target) if isinstance(node, ast.Name))
