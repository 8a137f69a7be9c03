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
- ``debugger``    debugpy, loaded only when someone debugs
- ``kernel``      ipykernel's request handling with capture and apply hooked in
- ``static``      which names can a cell touch (before it runs)
- ``kinds``       what the walk and the pickler tell apart
- ``walk``        which names share mutable objects (after it ran)
- ``groups``      the known groups: members, shared objects, fingerprints, pins
- ``pickler``     one group to bytes; ``arrays``, ``classes`` and ``singletons`` are its special cases
- ``rebuild``     what those bytes call when they are loaded
- ``pins``        objects that cannot leave this process, and what stands in for them elsewhere
- ``ambient``     state that is not a variable: cwd, environment, random generators, filters
- ``imports``     modules the notebook loaded
- ``history``     ``In``, ``Out``, ``_``
- ``background``  threads and tasks beside the cells
- ``session``     what is known; ``codec`` a group to bytes and back
- ``streams``     bytes without copies; ``delta`` what is sent
- ``capture``     all of it after a cell; ``apply``: all of it on a standby
"""

__version__ = "0.1.0"
