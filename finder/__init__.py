"""finder: find any session of any coding agent, show it truthfully, move it to another tool.

This package holds what all tools share: the event model, the adapter contract, finding,
reading, converting and the command line. What is particular to one tool's files lives in
adapters, which arrive through the entry-point group ``finder.adapters.v1``.
"""

__version__ = "0.1.0"
