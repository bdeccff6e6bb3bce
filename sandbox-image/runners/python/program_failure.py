"""What an exception says to the author of a program: frames of the program's own files, without the runner's and the wrappers'."""

import builtins

__builtins__ = builtins.__dict__.copy()  # Functions below look names up here, whatever a program does to builtins.

import sys

MAX_FRAMES = 40
MAX_TEXT = 16_000
STDLIB = frozenset(sys.stdlib_module_names)


def describe(error, workspace, code="UNCAUGHT"):
    """Payload of FAILURE. Lines and columns count from 1; `file` names the user's file when it is not the program itself."""
    if isinstance(error, SyntaxError) and is_user_file(error.filename or "", workspace):
        return syntax_error(error, workspace)
    frames = user_frames(error.__traceback__, workspace)
    message = headline(error)
    failure = {"code": code, "message": cut(message), "stack": cut(stack_text(message, frames, workspace) + causes(error, workspace))}
    if frames:
        failure.update(position(frames[-1], workspace))
    return failure


def syntax_error(error, workspace):
    failure = {"code": "SYNTAX_ERROR", "message": cut(f"{type(error).__name__}: {error.msg}")}
    if error.lineno is not None:
        failure.update(position((error.filename, error.lineno, max(error.offset or 1, 1), ""), workspace))
    return failure


def headline(error):
    kind = type(error)
    name = kind.__name__ if kind.__module__ in ("builtins", "__main__", "code_executor") else f"{kind.__module__}.{kind.__name__}"
    code = f" {error.code}" if name == "ToolError" else ""
    try:
        text = str(error)
    except BaseException:
        text = "(its message cannot be shown)"
    inner = getattr(error, "exceptions", None)
    if isinstance(inner, (list, tuple)):
        text += " (" + "; ".join(headline(one) for one in inner[:5]) + ")"
    return f"{name}{code}: {text}{advice(error)}" if text or code else name


def advice(error):
    if isinstance(error, ModuleNotFoundError) and isinstance(error.name, str):
        top = error.name.partition(".")[0]
        if error.name.startswith("servers."):
            return ". Find tools with `from servers.discovery import search_tools, list_servers`"
        if top not in STDLIB and top != "servers":
            return ": the sandbox has the standard library and what its operator lists, and no network. Use these, a tool, or `files`"
    return ""


def user_frames(traceback, workspace):
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if is_user_file(code.co_filename, workspace):
            line, column = place(code, traceback)
            frames.append((code.co_filename, line, column, code.co_name))
        traceback = traceback.tb_next
    return frames


def place(code, traceback):
    """From the instruction that raised; columns in it count UTF-8 bytes."""
    line, column = traceback.tb_lineno, 1
    for index, (start, _, offset, _) in enumerate(code.co_positions()):
        if index == traceback.tb_lasti // 2:
            if start == line and offset is not None:
                column = offset + 1 if offset == 0 else characters(code.co_filename, line, offset) + 1
            break
    return line, column


def characters(filename, line, offset):
    try:
        with open(filename, "rb") as file:
            for _ in range(line - 1):
                file.readline()
            return len(file.readline()[:offset].decode("utf-8", "replace"))
    except OSError:
        return offset


def is_user_file(filename, workspace):
    return filename.startswith(workspace + "/") and not filename.startswith(workspace + "/servers/")


def stack_text(message, frames, workspace):
    shown = frames if len(frames) <= MAX_FRAMES else frames[:5] + frames[5 - MAX_FRAMES :]
    lines = [
        f"    at {name + ' ' if name not in ('<module>', '<program>') else ''}({filename[len(workspace) + 1 :]}:{line}:{column})"
        for filename, line, column, name in reversed(shown)
    ]
    return "\n".join([message, *lines])


def causes(error, workspace):
    text = ""
    for _ in range(3):
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if error is None:
            break
        text += "\nCaused by: " + stack_text(headline(error), user_frames(error.__traceback__, workspace), workspace)
    return text


def position(frame, workspace):
    filename, line, column, _ = frame
    file = filename[len(workspace) + 1 :]
    at = {"line": line, "column": column}
    if file != "main.py":
        at["file"] = file
    return at


def cut(text):
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
