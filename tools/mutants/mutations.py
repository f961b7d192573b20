"""The mutations of a module: each is the syntax tree with one node changed."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
}
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}


@dataclass(frozen=True)
class Mutant:
    """One changed module."""

    module: str
    name: str
    """What is changed, where; the same as long as the code there is the same."""
    line: int
    lines: range
    """Of the statement that it is in; a test that executes none of them cannot notice it."""
    tree: ast.Module


def mutants(module: str, source: str) -> list[Mutant]:
    """All mutants of a module, in the order of its lines."""
    tree = ast.parse(source)
    found, seen = [], dict[str, int]()
    for path, node, scope, statement in _nodes(tree):
        for replacement in _replacements(node):
            before, after = _short(node), _short(replacement) if replacement else "(removed)"
            name = f"{scope}: {before} -> {after}"
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name = f"{name} #{seen[name]}"
            lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
            found.append(Mutant(module, name, _line(node), lines, _replaced(tree, path, replacement)))
    return sorted(found, key=lambda mutant: mutant.line)


Node = TypeVar("Node", bound=ast.AST)
Path = tuple[tuple[str, int | None], ...]


def _nodes(tree: ast.Module) -> Iterator[tuple[Path, ast.AST, str, ast.stmt]]:
    """Every node that may be changed: the way to it from the top, the node, the function or class and the statement
    that it is in.
    """

    def walk(
        node: ast.AST, path: Path, scope: str, statement: ast.stmt
    ) -> Iterator[tuple[Path, ast.AST, str, ast.stmt]]:
        if isinstance(node, ast.stmt):
            statement = node
        yield path, node, scope or "module", statement
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            scope = f"{scope}.{node.name}" if scope else node.name
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "ctx", "type_params"):
                continue
            if isinstance(value, ast.AST):
                yield from walk(value, (*path, (field, None)), scope, statement)
            elif isinstance(value, list):
                for at, one in enumerate(value):
                    is_docstring = isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
                    if isinstance(one, ast.AST) and not is_docstring:
                        yield from walk(one, (*path, (field, at)), scope, statement)

    for at, top in enumerate(tree.body):
        if not isinstance(top, ast.Import | ast.ImportFrom | ast.Expr):
            yield from walk(top, (("body", at),), "", top)


def _replaced(tree: ast.Module, path: Path, replacement: ast.AST | None) -> ast.Module:
    """The tree with the node at the end of the path replaced, or removed. Other nodes are shared, not copied."""
    root = copy.copy(tree)
    node: ast.AST = root
    for n, (field, at) in enumerate(path):
        last = n == len(path) - 1
        child = getattr(node, field)
        if at is None:
            new = replacement if last else copy.copy(child)
            setattr(node, field, new)
        else:
            new = replacement if last else copy.copy(child[at])
            setattr(node, field, [*child[:at], *([] if new is None else [new]), *child[at + 1 :]])
        if not last:
            assert new is not None
            node = new
    return ast.fix_missing_locations(root)


def _replacements(node: ast.AST) -> Iterator[ast.AST | None]:
    """What a node is changed to, one after the other; None if it is removed from its list."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for at, op in enumerate(ops):
                for kind in COMPARISONS[type(op)]:
                    yield _like(node, ast.Compare(left, [*ops[:at], kind(), *ops[at + 1 :]], comparators))
        case ast.BoolOp(op=op, values=values):
            yield _like(node, ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values))
            for at in range(len(values)):
                rest = values[:at] + values[at + 1 :]
                yield rest[0] if len(rest) == 1 else _like(node, ast.BoolOp(op, rest))
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from (left, right)
        case ast.BinOp(left=left, op=op, right=right):
            yield _like(node, ast.BinOp(left, OPERATORS[type(op)](), right))
        case ast.Constant(value=value):
            if (other := _other(value)) is not None:
                yield _like(node, ast.Constant(other))
        case ast.Slice():
            yield _like(node, ast.Slice())
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name in FUNCTIONS:
            kept = [] if name == "sorted" else keywords
            yield _like(node, ast.Call(ast.Name(FUNCTIONS[name], ast.Load()), args, kept))
        case ast.IfExp(test=test, body=body, orelse=orelse) if _is_plain(test):
            yield _like(node, ast.IfExp(_negated(test), body, orelse))
        case ast.comprehension(ifs=[test]) if _is_plain(test):
            yield _comprehension(node, _negated(test))
        case ast.If(test=test, body=body, orelse=orelse) if _is_plain(test):
            yield _like(node, ast.If(_negated(test), body, orelse))
        case ast.match_case(pattern=pattern):
            if not isinstance(pattern, ast.MatchAs) or pattern.pattern:
                yield None
        case ast.MatchOr(patterns=patterns):
            for at in range(len(patterns)):
                rest_ = patterns[:at] + patterns[at + 1 :]
                yield rest_[0] if len(rest_) == 1 else _like(node, ast.MatchOr(rest_))
        case ast.Return(value=value) if value is not None and _text(value) != "None":
            yield _like(node, ast.Return(ast.Constant(None)))
        case ast.Yield(value=value) if value is not None:
            yield _like(node, ast.Yield(ast.Constant(None)))
        case ast.Continue():
            yield _like(node, ast.Break())
        case ast.AugAssign(target=target, op=op, value=value):
            if type(op) in OPERATORS:
                yield _like(node, ast.AugAssign(target, OPERATORS[type(op)](), value))
            yield _like(node, ast.Pass())
        case ast.Expr(value=ast.Call()) | ast.Raise():
            yield _like(node, ast.Pass())
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript() | ast.Tuple(), *_]):
            yield _like(node, ast.Pass())
        case ast.FunctionDef(decorator_list=[_, *_]):
            bare = copy.copy(node)
            bare.decorator_list = []
            yield bare


def _other(value: object) -> bool | float | str | None:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case "":
            return "mutant"
        case str():
            return ""
    return None


def _is_plain(test: ast.expr) -> bool:
    """Whether a condition has no mutant of its own."""
    return not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp)


def _negated(test: ast.expr) -> ast.expr:
    return _like(test, ast.UnaryOp(ast.Not(), test))


def _comprehension(node: ast.comprehension, test: ast.expr) -> ast.comprehension:
    return ast.comprehension(node.target, node.iter, [test], node.is_async)


def _like(node: ast.AST, new: Node) -> Node:
    return ast.copy_location(new, node)


def _text(node: ast.AST) -> str:
    return ast.unparse(node)


def _line(node: ast.AST) -> int:
    return next(one.lineno for one in ast.walk(node) if isinstance(one, ast.expr | ast.stmt | ast.pattern))


def _short(node: ast.AST) -> str:
    """The node as source, of compound statements the first line."""
    if isinstance(node, ast.FunctionDef):
        decorators = "".join(f"@{_text(one)} " for one in node.decorator_list)
        return f"{decorators}def {node.name}"
    return _text(node).strip().partition("\n")[0]
