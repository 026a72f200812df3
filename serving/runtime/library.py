"""The functions of ONNX Runtime's C interface, out of the shared library in its wheel.

The library hands out a table of functions, whose order is that of `onnxruntime_c_api.h`; it only ever grows.
"""

from collections.abc import Callable
from ctypes import CDLL, CFUNCTYPE, POINTER, PYFUNCTYPE, byref, c_char_p, c_int, c_size_t, c_uint32, c_void_p, cast
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

VERSION = 15  # of the interface: the first with all functions below
FLOAT, TEXT, DOUBLE = 1, 8, 11  # types of a tensor's elements
NAMES = ("libonnxruntime.so.*", "libonnxruntime.*.dylib")

Pointer = c_void_p
Function = Callable[..., Any]


class Failed(RuntimeError):
    """ONNX Runtime refused."""


def path() -> Path:
    """The shared library.

    Raises:
        ImportError: the installed package has none, such as one that was not made by the project itself.
    """
    found = find_spec("onnxruntime")
    if found is None or found.origin is None:
        raise ImportError("onnxruntime is not installed; install this project's packages with make install")
    folder = Path(found.origin).parent / "capi"
    for library in chain.from_iterable(folder.glob(name) for name in NAMES):
        return library
    raise ImportError(f"no libonnxruntime in {folder}; install onnxruntime's own wheel, from PyPI")


def _table() -> Any:
    base = CDLL(str(path())).OrtGetApiBase
    base.restype = POINTER(Pointer)
    table = CFUNCTYPE(Pointer, c_uint32)(base()[0])(VERSION)
    if not table:
        raise ImportError(f"onnxruntime is too old: its interface lacks version {VERSION}")
    return cast(table, POINTER(Pointer))


TABLE = _table()


def _plain(place: int, *arguments: Any, result: Any = Pointer) -> Function:
    """A function of the table, which lets go of the interpreter's lock."""
    return CFUNCTYPE(result, *arguments)(TABLE[place])


def _short(place: int, *arguments: Any) -> Function:
    """A function that is over sooner than the interpreter's lock could be taken back; returns a status to `check`."""
    return PYFUNCTYPE(Pointer, *arguments)(TABLE[place])


def _checked(place: int, *arguments: Any) -> Function:
    """A function that raises `Failed`."""
    function = _plain(place, *arguments)
    function.errcheck = lambda status, *_: check(status)  # type: ignore[attr-defined]
    return function


def check(status: int | None) -> None:
    """Raise what a status tells.

    Raises:
        Failed: it is one of a failure.
    """
    if status:
        message = error_message(status).decode(errors="replace")
        release_status(status)
        raise Failed(message)


error_message = _plain(2, Pointer, result=c_char_p)
release_status, release_session, release_value = (_plain(place, Pointer, result=None) for place in (93, 95, 96))
release_options, release_metadata = (_plain(place, Pointer, result=None) for place in (100, 118))

create_environment = _checked(3, c_int, c_char_p, Pointer)
disable_telemetry = _checked(6, Pointer)
create_session = _checked(8, Pointer, c_char_p, c_size_t, Pointer, Pointer)
create_options = _checked(10, Pointer)
set_severity, set_threads, set_parallel = (_checked(place, Pointer, c_int) for place in (22, 24, 25))
set_entry = _checked(130, Pointer, c_char_p, c_char_p)

count_inputs, count_outputs = _checked(30, Pointer, Pointer), _checked(31, Pointer, Pointer)
name_input, name_output = (_checked(place, Pointer, c_size_t, Pointer, Pointer) for place in (36, 37))
get_metadata = _checked(111, Pointer, Pointer)
look_up = _checked(116, Pointer, Pointer, c_char_p, Pointer)
free = _checked(76, Pointer, Pointer)

create_tensor = _checked(48, Pointer, Pointer, c_size_t, c_int, Pointer)
create_tensor_over = _checked(49, Pointer, Pointer, c_size_t, Pointer, c_size_t, c_int, Pointer)
fill_texts = _checked(52, Pointer, Pointer, c_size_t)
size_of_texts = _checked(53, Pointer, Pointer)
copy_texts = _checked(54, Pointer, Pointer, c_size_t, Pointer, c_size_t)
resize_text = _checked(252, Pointer, c_size_t, c_size_t, Pointer)

run = _checked(9, Pointer, Pointer, Pointer, Pointer, c_size_t, Pointer, c_size_t, Pointer)
create_run_options, create_binding = _checked(39, Pointer), _checked(134, Pointer, Pointer)
bind_input, bind_output = (_checked(place, Pointer, c_char_p, Pointer) for place in (136, 137))
run_bound = _short(133, Pointer, Pointer, Pointer)
release_binding = _plain(135, Pointer, result=None)

fill_texts_short = _short(52, Pointer, Pointer, c_size_t)
fill_text_short = _short(129, Pointer, c_char_p, c_size_t)
size_of_texts_short = _short(53, Pointer, Pointer)
copy_texts_short = _short(54, Pointer, Pointer, c_size_t, Pointer, c_size_t)


@cache
def environment() -> Pointer:
    """What all sessions of this process share."""
    found = Pointer()
    create_environment(3, b"serving", byref(found))  # errors and worse are told
    disable_telemetry(found)
    return found


@cache
def run_options() -> Pointer:
    """The options of every run of what is bound: none."""
    found = Pointer()
    create_run_options(byref(found))
    return found


@cache
def allocator() -> Pointer:
    """What gives memory to texts."""
    found = Pointer()
    _checked(78, Pointer)(byref(found))
    return found


@cache
def memory() -> Pointer:
    """Says that tensors lie in the process's own memory."""
    found = Pointer()
    _checked(69, c_int, c_int, Pointer)(0, 0, byref(found))
    return found
