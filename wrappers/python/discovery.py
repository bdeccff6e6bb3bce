"""Finding tools at run time: ask for the few that are needed instead of reading the whole catalog."""

from servers._runtime import discover


def list_servers():
    """The servers there are, with the number of their tools."""
    return discover("list_servers", {})


def list_tools(server=None, *, limit=None, offset=None):
    """The tools of one server, or of all."""
    return discover("list_tools", _given(server=server, limit=limit, offset=offset))


def search_tools(q, *, server=None, detail=None, limit=None, offset=None):
    """Tools that fit the words, the best first. `detail` is "name", "description" or "full"."""
    return discover("search_tools", _given(q=q, server=server, detail=detail, limit=limit, offset=offset))


def get_tool(server, tool=None):
    """One tool with its schema, signature and an example: get_tool("filesystem", "read_text_file")."""
    if tool is None and "." in server:
        server, tool = server.split(".", 1)
    return discover("get_tool", _given(server=server, tool=tool))


def _given(**params):
    return {key: value for key, value in params.items() if value is not None}
