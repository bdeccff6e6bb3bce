"""Turns a program into code whose last expression, or top-level `return`, is its result, with every line where the user has it."""

import builtins

__builtins__ = builtins.__dict__.copy()  # Functions below look names up here, whatever a program does to builtins.

import _ast as ast

TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
# Names that no program can write.
RESULT = "<result>"
BODY = "<program>"
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
EXITS = ("exit(", "SystemExit")


class Compiled:
    __slots__ = ("code", "is_body", "is_async", "promises_result")

    def __init__(self, code, is_body, is_async, promises_result):
        self.code = code
        self.is_body = is_body
        self.is_async = is_async
        self.promises_result = promises_result


def compile_program(source, filename):
    """Raises SyntaxError, ValueError (NUL), RecursionError or MemoryError (nesting) for what cannot be compiled."""
    tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST | TOP_LEVEL_AWAIT, dont_inherit=True)
    returns = [node for node in walk_scope(tree.body) if isinstance(node, ast.Return)]
    promises = any(node.value is not None for node in returns)
    holder, last = last_expression(tree.body)
    if last is not None:
        promises = promises or not (is_call(last.value) and any(word in source for word in EXITS))
        kept = ast.Return(value=last.value) if returns else ast.Assign(targets=[named(RESULT, ast.Store(), last)], value=last.value)
        holder[-1] = located(kept, last)
    if returns:
        return Compiled(compile(as_body(tree), filename, "exec", dont_inherit=True), True, has_await(tree.body[-1].body), promises)
    code = compile(tree, filename, "exec", TOP_LEVEL_AWAIT, dont_inherit=True)
    return Compiled(code, False, bool(code.co_flags & 0x80), promises)


def last_expression(body):
    """The last statement if it is an expression; that of `if __name__ == "__main__":` counts as the program's."""
    last = body[-1] if body else None
    if isinstance(last, ast.Expr):
        return body, last
    if isinstance(last, ast.If) and not last.orelse and is_main_test(last.test):
        return last_expression(last.body)
    return body, None


def is_main_test(test):
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and len(test.comparators) == 1
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def is_call(node):
    return isinstance(node.value if isinstance(node, ast.Await) else node, ast.Call)


def as_body(tree):
    """A module that defines one function from the program, with every name that the program binds declared global.

    `return` needs a function; the declaration keeps what a module means: its functions see its variables, pickle finds its classes.
    """
    names = sorted(bound_names(tree.body))
    first = tree.body[0]
    body = tree.body
    if names:
        body.insert(0, located(ast.Global(names=names), first))
    kind = ast.AsyncFunctionDef if has_await(tree.body) else ast.FunctionDef
    arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    function = kind(name=BODY, args=arguments, body=body, decorator_list=[], returns=None, type_comment=None, type_params=[])
    future = [node for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    for node in future:
        body.remove(node)
    tree.body = [*future, located(function, first)]
    drop_annotations(function)
    return tree


def drop_annotations(function):
    """`x: int = 1` is refused for a global name, wherever the statement stands."""
    pending = [function]
    while pending:
        node = pending.pop()
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            block = getattr(node, field, None)
            if not isinstance(block, list):
                continue
            for index, child in enumerate(block):
                if not isinstance(child, SCOPES):
                    block[index] = plain_assignment(child)
                    pending.append(child)


def plain_assignment(node):
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
        return node
    if node.value is None:
        return located(ast.Pass(), node)
    return located(ast.Assign(targets=[node.target], value=node.value), node)


def bound_names(body):
    names = set()
    for node in walk_scope(body):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name.partition(".")[0]) for alias in node.names if alias.name != "*")
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
    declared = {name for node in walk_scope(body) if isinstance(node, ast.Global) for name in node.names}
    return names - declared


def has_await(body):
    return any(
        isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)) or (isinstance(node, ast.comprehension) and node.is_async)
        for node in walk_scope(body)
    )


def walk_scope(body):
    """Every node that runs in the scope of `body` itself. What a comprehension binds is its own, but for `:=`."""
    pending = list(reversed(body)) if isinstance(body, list) else [body]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, SCOPES):
            pending.extend(outer_parts(node))
        elif isinstance(node, COMPREHENSIONS):
            pending.extend(child for child in walk_children(node) if not isinstance(child, ast.comprehension))
            for generator in node.generators:
                pending.extend([generator.iter, *generator.ifs])
                if generator.is_async:
                    yield generator
        else:
            pending.extend(walk_children(node))


def outer_parts(node):
    """Of a function or class, what is evaluated where it is defined."""
    parts = [*getattr(node, "decorator_list", ()), *getattr(node, "bases", ())]
    arguments = getattr(node, "args", None)
    if arguments is not None:
        parts.extend([*arguments.defaults, *(value for value in arguments.kw_defaults if value is not None)])
    return parts


def walk_children(node):
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, ast.AST):
            yield value
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, ast.AST):
                    yield item


def located(node, at):
    for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
        setattr(node, name, getattr(at, name))
    return node


def named(name, context, at):
    return located(ast.Name(id=name, ctx=context), at)
