"""Runs one Python program in /workspace, with the channel as descriptor 3: `python3 -I -S -u runner.py [packages]`.

Boots with the fewest modules and blocks until the program arrives; the pool pays for every boot, so what only some programs need
(asyncio, ast, json) is not loaded at all or by those programs. `packages`, where it exists, holds what an operator lists for programs.
"""

import sys

# Kept out of sight of the program: its own modules of these names are found, not ours.
OWN = ("program", "program_channel", "program_compile", "program_failure", "program_result", "program_world")


def main():
    here = __file__.rpartition("/")[0]
    sys.path.insert(0, here)
    import program

    del sys.path[0]
    for name in OWN:
        del sys.modules[name]
    program.serve(here, sys.argv[1] if len(sys.argv) > 1 else None)


main()
