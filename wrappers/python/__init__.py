"""The tools there are: `from servers.filesystem import read_text_file`. Servers are packages, imported when first named.

`from servers import meta_of`: what an answer says about itself (status, pagination links, rate limit), by the value it came with.
"""


def __getattr__(name):
    from servers._runtime import import_module

    if name == "meta_of":
        from code_executor import meta_of

        return meta_of
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return import_module(f"servers.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"servers.{name}":
            raise
        raise AttributeError(f"there is no server {name!r}") from None
