"""Stands for the channel in processes that a program spawns: wrappers can be imported there, calls say why they fail."""


class ToolError(Exception):
    def __init__(self, code, message, details=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


def call(tool, args=None):
    raise ToolError("TOOL_CHANNEL_UNAVAILABLE", "A child process has no tool channel. Call tools in the program itself.")


async def acall(tool, args=None):
    return call(tool, args)


def meta_of(value):
    return None


discover = call
