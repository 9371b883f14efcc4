"""The CEL engine."""

import importlib.util
import sys
import threading
from functools import cache
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cel

_LOADING = threading.Lock()
_RESERVED = ("reserved identifier: namespace", "namespace is a reserved word of CEL; the variable is ns")


def compiled(source: str) -> "cel.Program":
    """Return the program.

    Raises:
        ValueError: it is no expression; the text says where.
    """
    try:
        with _LOADING:  # reviews have a thread of their own
            engine = _engine()
        program: cel.Program = engine.compile(source)
    except ValueError as error:
        _, _, reason = str(error).partition("ERROR: <input>:")
        line = (reason or "malformed").splitlines()[0].replace(*_RESERVED)
        raise ValueError(f"not a CEL expression (line:column: problem): {line[:200]}") from None
    return program


@cache
def _engine() -> Any:
    """Load the package's extension alone: its ``__init__`` brings a command line with 25 MB of libraries."""
    name = "cel.cel"
    if name not in sys.modules:
        package = importlib.util.find_spec("cel")
        spec = PathFinder.find_spec(name, package.submodule_search_locations if package else None)
        if spec is None or spec.loader is None:
            raise ImportError("common-expression-language is not installed")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # an extension is loaded once: whoever imports the package shall find it
        spec.loader.exec_module(module)
    return sys.modules[name]
