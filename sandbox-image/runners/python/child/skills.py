"""`from skills import name` is `from servers.skills import name`."""

import sys

import servers.skills

sys.modules[__name__] = servers.skills
