"""From the RUN frame to the one terminal frame, unless the program leaves by itself: then the service judges how it ended."""

import builtins

__builtins__ = builtins.__dict__.copy()  # Functions below look names up here, whatever a program does to builtins.

import posix
import sys

import program_channel as channel
import program_compile as compiler
import program_failure as failure
import program_result as result
import program_world as world

async def _probe():
    pass


_coroutine = _probe()
_coroutine.close()
COROUTINE = type(_coroutine)
ModuleType = type(sys)
modules = sys.modules
settrace, setprofile = sys.settrace, sys.setprofile
exit_now, read, getpid = posix._exit, posix.read, posix.getpid
owner = getpid()


def serve(here, packages):
    """Says that the runtime is up, waits for one program and runs it."""
    # Another directory is named by tests alone, which run without a sandbox.
    workspace = posix.environ.get(b"RUNNER_WORKSPACE", b"/workspace").decode()
    posix.set_inheritable(channel.CHANNEL, False)
    posix.register_at_fork(after_in_child=channel.leave_child)
    install_modules(workspace, here, packages)
    names = None
    while True:
        channel.send(channel.READY, b"{}")
        try:
            kind, payload = channel.receive()
        except EOFError:
            return
        if kind != channel.RUN:
            return
        run = channel.parse(payload)
        if names is not None:
            forget_files(run["files"], workspace)
        names = execute(run, workspace, names)
        if "nextChannel" not in run or getpid() != owner:
            return
        channel.replace(workspace + "/" + run["nextChannel"])


def forget_files(files, workspace):
    """Files that come again are read anew."""
    paths = {f"{workspace}/{path}" for path in files}
    for name, module in list(modules.items()):
        if name != "__main__" and getattr(module, "__file__", None) in paths:
            del modules[name]
    sys.path_importer_cache.clear()


def install_modules(workspace, here, packages):
    modules["code_executor"] = channel.create_module()

    def run_skill(address, args, source):
        return skill_value(address, args, source, f"{workspace}/servers/{address.replace('.', '/')}.py")

    modules["code_executor"].run_skill = run_skill
    sys.path.insert(0, workspace)
    if packages is not None:
        sys.path.append(packages)
    # Processes that `multiprocessing` spawns inherit this path and find a code_executor that says why it cannot call.
    sys.path.append(here + "/child")
    sys.dont_write_bytecode = True
    # Those that `site` makes, which -S leaves out.
    builtins.exit = builtins.quit = leave


def skill_value(address, args, source, filename):
    """What a skill comes to, whose names are its own. A coroutine where it awaits."""
    names = {
        "__name__": address,
        "__file__": filename,
        "__builtins__": builtins,
        "args": args,
        "tools": channel.Tools(),
        "ToolError": channel.ToolError,
    }
    compiled = compiler.compile_program(source, filename)
    if compiled.is_body:
        exec(compiled.code, names)
        return names.pop(compiler.BODY)()
    if not compiled.is_async:
        exec(compiled.code, names)
        return names.pop(compiler.RESULT, None)

    async def drive(program):
        await program
        return names.pop(compiler.RESULT, None)

    return drive(eval(compiled.code, names))


def leave(code=None):
    raise SystemExit(code)


def execute(run, workspace, names):
    """Answers the program's names: those of a session's last program are those of its next."""
    main = workspace + "/main.py"
    for path, text in run["files"].items():
        write_file(workspace, path, text)
    write_file(workspace, "main.py", run["code"])
    sys.argv[:] = [main]
    compiled = refusal = None
    try:
        compiled = compiler.compile_program(run["code"], main)
    except BaseException as error:
        refusal = error
    if "held" in run:
        wait_for_go()
    if refusal is not None:
        fail_compile(refusal, workspace, run)
        return names
    channel.send(channel.STARTED, b'{"promisesResult":true}' if compiled.promises_result else b'{"promisesResult":false}')

    if "determinism" in run:
        world.install(run["determinism"], (run["code"], *run["files"].values()))
    if names is None:
        module = modules["__main__"] = ModuleType("__main__")
        names = module.__dict__
    names.update(
        __file__=main,
        __builtins__=builtins,
        args=run["args"],
        tools=channel.Tools(),
        ToolError=channel.ToolError,
    )
    try:
        value = value_of(compiled, names, run)
        if value is None:
            # Nothing was promised, so what is pending still happens, as it does at the end of any Python program.
            finish_pending(run)
    except SystemExit:
        if getpid() == owner:
            flush()
        raise
    except BaseException as error:
        conclude(channel.FAILURE, describe(error, workspace), run)
        return names
    if getpid() != owner:
        return names
    if value is None:
        conclude(channel.RESULT, b"", run)
        return names
    settrace(None)
    setprofile(None)
    try:
        text = result.serialize(value, run["resultLimitBytes"])
    except result.NotSerializable as error:
        conclude(channel.FAILURE, encode({"code": error.code, "message": error.message}), run)
        return names
    conclude(channel.RESULT, text.encode("utf-8", "backslashreplace"), run)
    return names


def wait_for_go():
    """No line of the program runs before the service says so."""
    try:
        kind, _ = channel.receive()
    except EOFError:
        exit_now(0)
    if kind != channel.GO:
        exit_now(0)


def value_of(compiled, names, run):
    """Runs the program. A coroutine that is its result is awaited."""
    if not compiled.is_body:
        if not compiled.is_async:
            exec(compiled.code, names)
            value = names.pop(compiler.RESULT, None)
            return run_coroutine(value, run) if type(value) is COROUTINE else value
        program = eval(compiled.code, names)
    else:
        exec(compiled.code, names)
        body = names.pop(compiler.BODY)
        if not compiled.is_async:
            value = body()
            return run_coroutine(value, run) if type(value) is COROUTINE else value
        program = body()

    async def drive():
        value = await program
        if not compiled.is_body:
            value = names.pop(compiler.RESULT, None)
        return await value if hasattr(type(value), "__await__") else value

    return run_coroutine(drive(), run)


def run_coroutine(coroutine, run):
    """On an event loop of asyncio, which takes 25 ms to import, unless no text names it: then only tools can be awaited."""
    if "asyncio" not in modules and not any("async" in text.replace("async def", "") for text in (run["code"], *run["files"].values())):
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value
        coroutine.close()
        raise RuntimeError("The program awaits something that needs an event loop; `import asyncio` at its top provides one.")
    import asyncio

    async def drive():
        value = await coroutine
        if value is None:
            pending = asyncio.all_tasks() - {asyncio.current_task()}
            if pending:
                await asyncio.wait(pending)
        return value

    return asyncio.run(drive())


def finish_pending(run):
    threading = modules.get("threading")
    if "nextChannel" in run:
        # The interpreter goes on, and can be shut down only once.
        for thread in () if threading is None else threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        return
    if threading is not None:
        threading._shutdown()
    if "atexit" in modules or "multiprocessing" in modules:
        import atexit

        atexit._run_exitfuncs()


def describe(error, workspace):
    settrace(None)
    setprofile(None)
    try:
        return encode(failure.describe(error, workspace))
    except BaseException:
        return b'{"code":"UNCAUGHT","message":"The program raised an exception that cannot be shown."}'


def fail_compile(error, workspace, run):
    if isinstance(error, SyntaxError):
        payload = encode(failure.describe(error, workspace))
    elif isinstance(error, (RecursionError, MemoryError)):
        payload = b'{"code":"SYNTAX_ERROR","message":"The program nests too deep to be compiled."}'
    else:
        payload = encode({"code": "SYNTAX_ERROR", "message": str(error)})
    conclude(channel.FAILURE, payload, run)


def encode(fields):
    return result.serialize(fields, 1 << 20, "failure").encode("utf-8", "backslashreplace")


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            continue  # Closed, or one of the program's own making.


def conclude(kind, payload, run):
    """Sends the terminal frame. The service ends the sandbox then, or of a session the channel; until it does no further line of the
    program may run.
    """
    if getpid() != owner:
        return
    flush()
    try:
        channel.send(kind, payload)
        while read(channel.CHANNEL, 4096):
            pass
    except OSError:
        pass  # Closed, by the program or since the service has ended it: nobody is there to be told.
    if "nextChannel" not in run:
        exit_now(0)


def write_file(workspace, path, text):
    parts = path.split("/")
    directory = workspace
    for part in parts[:-1]:
        directory += "/" + part
        try:
            posix.mkdir(directory)
        except FileExistsError:
            pass
    with open(f"{workspace}/{path}", "wb") as file:
        file.write(text.encode("utf-8", "backslashreplace"))
