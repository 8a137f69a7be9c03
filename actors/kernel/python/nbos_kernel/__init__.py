"""The Python child of a replica: a standard ipykernel that can say what a cell changed.

The process serves the five Jupyter sockets like any IPython kernel and, beside them, one unix
stream socket (the side channel) to the replica that started it. After every ``execute_request``
it sends the *delta* of the cell: the groups of variables that changed, each as one opaque pickle.
On a standby the same process installs deltas that were captured elsewhere.

Modules, from the wire upwards:

- ``wire``        frames of the side channel
- ``side``        the socket, its reader thread, and what happens when the node is gone
- ``shield``      which moments of a cell an interrupt may cut
- ``app``         start-up, without what a kernel under a replica does not need
- ``zygote``      imports once and forks kernels; ``given``  what a kernel that was started ahead is told
- ``devices``     the GPUs lent to the running cell
- ``offload``     what the session has on them: only while a cell runs. ``residents``: torch's tensors, by ``homes`` and ``cuda``
- ``simulated``   memory of simulated GPUs
- ``debugger``    debugpy, loaded only when someone debugs
- ``kernel``      ipykernel's request handling with capture and apply hooked in
- ``static``      which names can a cell touch (before it runs)
- ``reach``       can a cell touch a GPU (before it runs)
- ``kinds``       what the walk and the pickler tell apart
- ``walk``        which names share mutable objects (after it ran)
- ``groups``      the known groups: members, shared objects, fingerprints, pins
- ``pickler``     one group to bytes, by the rules in ``registry``: one module for each kind of object
                  (``arrays``, ``classes``, ``compressed``, ``containers``, ``contexts``, ``cursors``, ``databases``, ``exceptions``, ``figures``, ``files``, ``frames``,
                  ``functions``, ``futures``, ``instances``, ``library``, ``memory``, ``references``, ``searches``, ``separated``, ``stays``, ``suspended``,
                  ``tensors``, ``threads``, ``tracebacks``, ``values``)
- ``singletons``  objects that travel by name; ``salvage``  loading what can be loaded of a group
- ``replaced``    what happens to the objects that an apply replaces
- ``rebuild``     what those bytes call when they are loaded
- ``pins``        objects that cannot leave this process, and what stands in for them elsewhere
- ``ambient``     state that is not a variable: cwd, environment, random generators, switches of the process
- ``imports``     installed modules the notebook loaded; ``modules`` those that are its own and travel by value
- ``patches``     attributes of installed modules it changed, ``originals`` what was there; ``tables`` what it put into theirs
- ``registries``  handlers, hooks, filters and codecs it registered; ``logs`` logging; ``libraries`` settings of libraries
- ``history``     ``In``, ``Out``, ``_``
- ``places``      what hangs from something else than a variable; ``hooks`` and ``magics`` those of IPython
- ``options``     IPython's switches; ``parts`` its objects that every process has; ``traits``, ``memoizers``, ``optimizers`` rules for theirs
- ``audit``       compares what a delta makes in ``scratch``, another process, by ``digest`` (and ``digest_libraries``)
- ``background``  threads and tasks beside the cells; ``collector`` holds the garbage collector off
- ``session``     what is known; ``codec`` a group to bytes and back
- ``streams``     bytes without copies; ``chunks`` large memory by its content; ``delta`` what is sent
- ``look``        which groups changed, and how they are made up now
- ``plain``       which cells cannot have changed anything but variables
- ``capture``     all of it after a cell; ``scrub``: the same while the kernel is idle
- ``apply``       all of it on a standby; ``deferred``: what arrives later
"""

from nbos_kernel.devices import Device, gpus

__all__ = ["Device", "gpus"]
__version__ = "0.1.0"
