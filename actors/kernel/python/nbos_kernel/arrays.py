"""numpy arrays: one copy of the memory, views stay views.

numpy's own pickles lose the relation between an array and its views, and give back arrays that do not
own their memory. Both can be noticed by the next cell. The *root* of an array is the outermost array of
its chain of bases; the *lender* is what lends the root its memory, if that is not an array.
"""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from typing import TYPE_CHECKING, Any

from nbos_kernel import instances, rebuild
from nbos_kernel.kinds import is_notebook_class
from nbos_kernel.pins import absent
from nbos_kernel.registry import reduces, reduces_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

# A view of which nothing else is left travels without the rest of its root, if that saves this much.
_WORTH_CUTTING = 1 << 16
_LENDER_ATTRIBUTES = ("_mmap",)


def root_of(array: Any) -> tuple[Any, Any]:
    """The outermost array below `array`, and what lends it the memory (None: it owns it)."""
    ndarray = sys.modules["numpy"].ndarray
    root, base = array, array.base
    while base is not None:
        if isinstance(base, ndarray):
            root, base = base, base.base
        elif isinstance(base, memoryview):
            base = base.obj
        elif type(base).__name__ == "DummyArray":  # what as_strided puts between
            base = base.base
        else:
            break
    return root, base


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


@reduces_all("numpy.ndarray")
def reduce(pickler: StatePickler, array: Any) -> Any:
    known = pickler.singleton(array) if type(array) is not sys.modules["numpy"].ndarray else None
    if known is not None:  # numpy.ma.masked
        return known
    root, lender = root_of(array)
    if array.dtype.kind == "T":  # strings of any length live in an arena that only numpy can take apart
        return _part_of_strings(pickler, array, root)
    if root is not array and (pickler.arrays_below(root) > 1 or lender is not None or not _cut(array, root)):
        under = _under(pickler, array, root)
        made = (under, _class(array), address(array) - address(under), array.shape, array.strides, array.dtype, bool(array.flags.writeable))
        return view, made, _state(array), None, None, set_state
    if root is array and lender is not None:
        borrowed = _borrowed(pickler, array, lender)
        if borrowed is not None:
            return borrowed
    layout = (_class(array), array.dtype, array.shape, _order(array), bool(array.flags.writeable))
    if array.dtype.hasobject:
        return own_objects, layout, (_elements(array), _state(array)), None, None, set_objects
    return own, (pickle.PickleBuffer(_bytes_of(array)), *layout), _state(array), None, None, set_state


def _under(pickler: StatePickler, array: Any, root: Any) -> Any:
    """The array that a view is made over: its base where variables hold that, too. numpy names the root itself as the
    base unless a class of arrays lies between."""
    base = array.base
    if base is root or not isinstance(base, sys.modules["numpy"].ndarray) or not pickler.walked(base):
        return root
    return base if base.flags.forc and not base.dtype.hasobject and base.flags.writeable >= array.flags.writeable else root


def _part_of_strings(pickler: StatePickler, array: Any, root: Any) -> Any:
    """A view is made by slicing: numpy makes no array of such strings over given memory."""
    if array is root or type(array) is not type(root) or array.dtype is not root.dtype or pickler.arrays_below(root) < 2:
        return pickler.ordinary(array)
    first, past = divmod(address(array) - address(root), root.itemsize)
    if past or first + array.size > root.size or any(stride < 0 for stride in array.strides):
        return pickler.ordinary(array)
    return strings, (root, first, array.shape, array.strides, bool(array.flags.writeable))


@reduces_all("numpy.polynomial._polybase.ABCPolyBase", "scipy.sparse._dok._dok_base")
def reduce_attributes(_pickler: StatePickler, obj: Any) -> Any:
    """Its attributes are all there is. What the library says of it turns attributes of a class into its own, or fills the
    dictionary that it only seems to be."""
    return rebuild.bare, (type(obj),), dict(vars(obj)), None, None, rebuild.set_state


@reduces_all("scipy.spatial._ckdtree.cKDTree")
def reduce_tree(pickler: StatePickler, tree: Any) -> Any:
    """With the array that it was made of, not a copy."""
    reduced = pickler.ordinary(tree)
    if len(reduced) < 3 or type(reduced[2]) is not tuple or len(reduced[2]) < 2 or getattr(reduced[2][1], "shape", None) != tree.data.shape:
        return reduced
    return (*reduced[:2], (reduced[2][0], tree.data, *reduced[2][2:]), None, None, set_tree)


@reduces_all("sklearn.tree._tree.Tree")
def reduce_decisions(pickler: StatePickler, tree: Any) -> Any:
    """What it shows of itself are arrays in its memory; those travel as such (`_of_a_tree`), it as copies of them."""
    reduced = pickler.ordinary(tree)
    if len(reduced) != 3 or type(reduced[2]) is not dict:
        return reduced
    return *reduced[:2], {name: value.copy() if hasattr(value, "copy") else value for name, value in reduced[2].items()}


@walks(*(f"sklearn.neighbors._{kind}_tree.BinaryTree{bits}" for kind in ("kd", "ball") for bits in (32, 64)))
def of_tree(tree: Any) -> tuple[Any, ...]:
    """The array that it was made of is hidden from the collector."""
    return (tree.__getstate__()[0],)


@reduces("numpy.void", "numpy.record")
def reduce_void(pickler: StatePickler, scalar: Any) -> Any:
    """One row of a structured array: a view, unlike numpy's other scalars."""
    if scalar.base is None or not scalar.dtype.names:
        return pickler.ordinary(scalar)
    root, _ = root_of(scalar)
    return void, (root, type(scalar), address(scalar) - address(root), scalar.dtype)


@reduces_all("numpy.generic")
def reduce_number(pickler: StatePickler, number: Any) -> Any:
    """One of a class of the notebook: numpy itself would give one of its own."""
    cls, numpy = type(number), sys.modules["numpy"]
    if not is_notebook_class(cls) or isinstance(number, numpy.void):
        return pickler.ordinary(number)
    base = next(c for c in cls.__mro__ if issubclass(c, numpy.generic) and not is_notebook_class(c))
    plain = numpy.asarray(number)[()]
    return instances.instance, (cls, base, plain), (instances.attributes_of(number) or None, None), None, None, instances.set_of_base


@reduces("numpy.ufunc")
def reduce_ufunc(pickler: StatePickler, ufunc: Any) -> Any:
    """A ufunc of a library by its name, one that was made from a function by that function."""
    name = ufunc.__name__
    for module in ("numpy", "scipy.special", "numpy._core.umath"):
        if getattr(sys.modules.get(module), name, None) is ufunc:
            return named, (module, name)
    made_from = _python_function(ufunc)
    if made_from is None:
        return pickler.ordinary(ufunc)
    return from_function, (made_from, ufunc.nin, ufunc.nout, ufunc.identity)


@reduces("numpy.finfo", "numpy.iinfo")
def reduce_limits(_pickler: StatePickler, limits: Any) -> Any:
    return type(limits), (limits.dtype,)


@reduces("*._memoryviewslice")
def reduce_slice(_pickler: StatePickler, memory: Any) -> Any:
    """What Cython code holds arrays by; every compiled module has a class of its own for it."""
    return same, (sys.modules["numpy"].array(memory),)


@reduces("numpy.random._mt19937.MT19937")
def reduce_bit_generator(pickler: StatePickler, generator: Any) -> Any:
    """The one behind ``numpy.random``'s functions is every process's own."""
    if generator is sys.modules["numpy.random"].get_bit_generator():
        return global_bit_generator, ()
    return pickler.ordinary(generator)


@reduces("numpy.flatiter")
def reduce_flat(_pickler: StatePickler, flat: Any) -> Any:
    return flat_iterator, (flat.base, flat.index)


@reduces("numpy.broadcast")
def reduce_broadcast(_pickler: StatePickler, several: Any) -> Any:
    return broadcast, (tuple(it.base for it in several.iters), several.index)


@walks("numpy.flatiter")
def of_flat(flat: Any) -> tuple[Any, ...]:
    return (flat.base,)


@walks("numpy.nditer")
def of_operands(iterator: Any) -> tuple[Any, ...]:
    """It stays where it is, and works on these."""
    return tuple(iterator.operands)


@walks("numpy.broadcast")
def of_broadcast(several: Any) -> tuple[Any, ...]:
    return tuple(it.base for it in several.iters)


def _cut(array: Any, root: Any) -> bool:
    """Whether to send a lone view without its root."""
    low, high = _bounds(array)
    return type(array) is sys.modules["numpy"].ndarray and not array.dtype.hasobject and (
        root.nbytes - (high - low) > _WORTH_CUTTING and not _overlaps_itself(array))


def _bounds(array: Any) -> tuple[int, int]:
    bounds: tuple[int, int] = sys.modules["numpy"].lib.array_utils.byte_bounds(array)
    return bounds


def _overlaps_itself(array: Any) -> bool:
    return any(stride == 0 and length > 1 for stride, length in zip(array.strides, array.shape)) or (
        array.nbytes > _bounds(array)[1] - _bounds(array)[0])


def _class(array: Any) -> type | None:
    """The class of an array, None for numpy's own: most are."""
    return None if type(array) is sys.modules["numpy"].ndarray else type(array)


def _state(array: Any) -> dict[str, Any] | None:
    attributes = getattr(array, "__dict__", None)
    if not attributes:
        return None
    return {name: value for name, value in attributes.items() if name not in _LENDER_ATTRIBUTES}


def _order(array: Any) -> Any:
    """How the axes lie in memory: "C", "F", or the strides themselves."""
    flags = array.flags
    if flags.c_contiguous:
        return "C"
    if flags.f_contiguous:
        return "F"
    return array.strides


def _bytes_of(array: Any) -> Any:
    """The elements in the order of memory, as bytes; without a copy where they lie close."""
    numpy = sys.modules["numpy"]
    plain = array.view(numpy.ndarray)
    if plain.dtype.itemsize == 0 or plain.size == 0:
        return numpy.empty(0, "u1")
    return numpy.ascontiguousarray(_in_memory_order(plain)).reshape(-1).view("u1")


def _in_memory_order(plain: Any) -> Any:
    """The array with its axes sorted by stride, the largest first."""
    if plain.flags.c_contiguous:
        return plain
    axes = sorted(range(plain.ndim), key=lambda axis: (-abs(plain.strides[axis]), axis))
    return plain.transpose(axes)


def _elements(array: Any) -> list[Any]:
    plain = array.view(sys.modules["numpy"].ndarray)
    flat = _in_memory_order(plain).reshape(-1)
    elements: list[Any] = flat.tolist() if plain.dtype.names is None else [item.item() for item in flat]
    return elements


def _borrowed(pickler: StatePickler, array: Any, lender: Any) -> Any:
    """A reduce value for an array in memory that something else owns; None if that cannot be told apart
    from memory of its own."""
    numpy = sys.modules["numpy"]
    if isinstance(array, numpy.memmap):
        return _mapped(pickler, array)
    if type(lender).__module__ == "mmap":
        return pickler.pin(array, "it lies in mapped memory")
    if f"{type(lender).__module__}.{type(lender).__qualname__}" == "sklearn.tree._tree.Tree":
        return _of_a_tree(array, lender)
    try:
        if "torch" in sys.modules and isinstance(lender, sys.modules["torch"].Tensor):
            start = lender.untyped_storage().data_ptr()
        else:
            start = address(numpy.frombuffer(lender, "u1"))
    except Exception:  # noqa: BLE001 - a lender that only C code knows how to ask
        return None
    if type(lender).__module__.partition(".")[0] in ("sklearn", "pandas", "scipy"):
        return None
    layout = (_class(array), address(array) - start, array.shape, array.strides, array.dtype, bool(array.flags.writeable))
    return borrow, (lender, *layout, type(array.base) is memoryview), _state(array), None, None, set_state


def _of_a_tree(array: Any, lender: Any) -> Any:
    """A decision tree shows its own memory as arrays, made anew each time."""
    shown = lender.__getstate__()
    same = [part for part in ("nodes", "values") if shown[part].__array_interface__ == array.__array_interface__]
    return (part_of_tree, (lender, same[0])) if same else None


def _mapped(pickler: StatePickler, array: Any) -> Any:
    """A memory-mapped file: mapped again where it is loaded. A private mapping brings its content."""
    if not isinstance(array.filename, (str, os.PathLike)) or not os.path.isfile(array.filename):
        return pickler.pin(array, "the file it maps has no name")
    if array.mode in ("r+", "w+"):
        array.flush()
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    content = pickle.PickleBuffer(_bytes_of(array)) if array.mode == "c" else None
    made = (pickler.name, os.path.abspath(array.filename), _class(array), array.dtype, array.mode, array.offset, array.shape, order, content)
    return mapped, made, _state(array), None, None, set_state


def _python_function(ufunc: Any) -> Any:
    """The function in a ufunc made by ``numpy.frompyfunc``. numpy keeps it as a plain object that only
    the garbage collector shows."""
    import gc

    found = [it for it in gc.get_referents(ufunc) if callable(it)]
    return found[0] if len(found) == 1 else None


# What payloads call.


def own(data: Any, cls: Any, dtype: Any, shape: tuple[int, ...], order: Any, writeable: bool) -> Any:
    """An array that owns its memory."""
    import numpy

    adopted = _adopt(data, dtype, shape) if cls is None and order == "C" else None
    array = _empty(cls, dtype, shape, order) if adopted is None else adopted
    if adopted is None and array.size and dtype.itemsize:
        plain = array.view(numpy.ndarray)
        _in_memory_order(plain).reshape(-1).view("u1")[:] = numpy.frombuffer(data, "u1")
    if not writeable:
        array.flags.writeable = False
    return array


def _adopt(data: Any, dtype: Any, shape: tuple[int, ...]) -> Any:
    """Large memory was received into an array of bytes already: it becomes the array itself, without a copy."""
    import numpy

    memory = data.obj if isinstance(data, memoryview) else data
    if type(memory) is not numpy.ndarray or not memory.flags.owndata or memory.dtype != "u1":
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no other way to do this in place
        memory.dtype = dtype
        memory.shape = shape
    return memory


def own_objects(cls: Any, dtype: Any, shape: tuple[int, ...], order: Any, writeable: bool) -> Any:
    """An array of objects; they are set once they exist, for one of them may hold the array."""
    return _empty(cls, dtype, shape, order)


def set_objects(array: Any, state: tuple[list[Any], Any]) -> None:
    import numpy

    elements, attributes = state
    flat = _in_memory_order(array.view(numpy.ndarray)).reshape(-1)
    for index, element in enumerate(elements):
        flat[index] = element
    set_state(array, attributes)


def _empty(cls: Any, dtype: Any, shape: tuple[int, ...], order: Any) -> Any:
    import numpy

    if cls is not None:
        return numpy.ndarray.__new__(cls, shape, dtype, order=order if order == "F" else "C")
    if isinstance(order, str):
        return numpy.empty(shape, dtype, order)
    # Memory of the same order of axes; the size of the strides is that of a copy without gaps.
    axes = sorted(range(len(shape)), key=lambda axis: (-abs(order[axis]), axis))
    inner = numpy.empty([shape[axis] for axis in axes], "u1")
    return numpy.empty_like(inner.transpose(numpy.argsort(axes)), dtype, order="K")


def set_state(array: Any, attributes: dict[str, Any] | None) -> None:
    if attributes:
        array.__dict__.update(attributes)


def _over(memory: Any, cls: Any, offset: int, shape: Any, strides: Any, dtype: Any, writeable: bool) -> Any:
    import numpy

    made = numpy.ndarray.__new__(cls or numpy.ndarray, shape, dtype, memory, offset, strides)
    if not writeable:
        made.flags.writeable = False
    return made


def view(root: Any, cls: Any, offset: int, shape: Any, strides: Any, dtype: Any, writeable: bool) -> Any:
    """An array in the memory of another one."""
    import numpy

    frozen = writeable and root.flags.owndata and not root.flags.writeable  # after the view was made
    if frozen:
        root.flags.writeable = True
    if root.flags.forc and not root.dtype.hasobject:
        memory = root
    else:  # without gaps, so these are views; numpy then names the root itself as the base of what lies in them
        memory = _in_memory_order(root.view(numpy.ndarray)).reshape(-1)
        if not root.dtype.hasobject and root.size and root.dtype.itemsize:
            memory = memory.view("u1")
    made = _over(memory, cls, offset, shape, strides, dtype, writeable)
    if frozen:
        root.flags.writeable = False
    if isinstance(made, numpy.memmap) and isinstance(root, numpy.memmap):
        made._mmap = root._mmap
    return made


def strings(root: Any, first: int, shape: Any, strides: Any, writeable: bool) -> Any:
    size = 1
    for length in shape:
        size *= length
    made = _in_memory_order(root).reshape(-1)[first:first + size]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.shape = shape
        made.strides = strides
    if not writeable:
        made.flags.writeable = False
    return made


def part_of_tree(tree: Any, part: str) -> Any:
    return tree.__getstate__()[part]


def set_tree(tree: Any, state: tuple[Any, ...]) -> None:
    tree.__setstate__(state)


def void(root: Any, cls: Any, offset: int, dtype: Any) -> Any:
    """A row of a structured array, as numpy's indexing gives it."""
    return view(root, None, offset, (), (), dtype, bool(root.flags.writeable))[()]


def borrow(lender: Any, cls: Any, offset: int, shape: Any, strides: Any, dtype: Any, writeable: bool, held: bool) -> Any:
    """An array in the memory of a bytearray, a tensor… `held`: which may not be moved while the array is there."""
    import numpy

    if type(lender).__module__.partition(".")[0] == "torch":
        from nbos_kernel import tensors

        return _over(tensors.memory(lender), cls, offset, shape, strides, dtype, writeable)
    made = _over(lender, cls, offset, shape, strides, dtype, writeable)
    if not held or not made.size or not dtype.itemsize:
        return made
    if cls is not None or not made.flags.c_contiguous:
        return _over(numpy.frombuffer(lender, "u1"), cls, offset, shape, strides, dtype, writeable)
    made = numpy.frombuffer(lender, dtype, made.size, offset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a view of it would have another base
        made.shape = shape
    if not writeable:
        made.flags.writeable = False
    return made


def mapped(name: str, path: str, cls: Any, dtype: Any, mode: str, offset: int, shape: Any, order: str, content: Any) -> Any:
    import numpy

    try:
        made = numpy.memmap(path, dtype, "r+" if mode == "w+" else mode, offset, shape, order)
    except (OSError, ValueError) as error:
        return absent(name, "memmap", f"{path}: {error}")
    made.mode = mode
    if content is not None:
        plain = _in_memory_order(made.view(numpy.ndarray)).reshape(-1)
        plain.view("u1")[:] = numpy.frombuffer(content, "u1")
    return made.view(cls) if cls is not numpy.memmap else made


def global_bit_generator() -> Any:
    import numpy

    return numpy.random.get_bit_generator()


def same(array: Any) -> Any:
    return array


def named(module: str, name: str) -> Any:
    import importlib

    return getattr(importlib.import_module(module), name)


def from_function(function: Any, inputs: int, outputs: int, identity: Any) -> Any:
    import numpy

    return numpy.frompyfunc(function, inputs, outputs, identity=identity)


def flat_iterator(array: Any, index: int) -> Any:
    return advanced(array.flat, index)


def broadcast(arrays: tuple[Any, ...], index: int) -> Any:
    import numpy

    return advanced(numpy.broadcast(*arrays), index)


def advanced(iterator: Any, steps: int) -> Any:
    for _ in range(steps):
        next(iterator)
    return iterator
