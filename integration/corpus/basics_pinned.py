# Objects that cannot leave their process, beside some that only look so.

# %% case: generator_beside_other_variables
g1 = (i for i in range(3)); n1 = 1; l1 = [g1, 2]
# %%
n1 = 2
# %% check
assert n1 == 2 and l1[1] == 2 and l1[0] is g1
try:
    assert next(g1) == 0 and type(g1).__name__ == 'generator'  # at home
except RuntimeError as e:
    assert type(e).__name__ == 'PinnedError' and "'g1'" in str(e) and 'generator' in str(e) and 'host' in str(e) and 'cell [' in str(e), str(e)

# %% case: a_leaf_in_a_dict
d2 = {'s': __import__('socket').socket(), 'n': [1]}
# %%
d2['n'].append(2)
# %% check
assert d2['n'] == [1, 2] and ('pinned' in repr(d2['s']) or d2['s'].fileno() > 0)

# %% case: the_pinned_variable_is_replaced
g3 = (i for i in 'a')
# %%
g3 = [3]
# %% check
assert g3 == [3]

# %% case: the_pinned_variable_is_deleted
g4 = (i for i in 'a')
# %%
del g4
# %% check
assert 'g4' not in globals()

# %% case: locks
import threading
k5 = threading.Lock(); r5 = threading.RLock(); e5 = threading.Event(); q5 = __import__('queue').Queue()
# %%
k5.acquire(); e5.set(); q5.put(5)
# %% check
assert k5.locked() and e5.is_set() and q5.queue[0] == 5 and r5.acquire() is True

# %% case: open_file_for_reading
f6 = open('/proc/self/status'); f6.close()
p6 = __import__('pathlib').Path('t6.txt'); p6.write_text('abcdef')
f6 = open(p6.absolute()); f6.read(2)
# %% check
assert f6.read(1) == 'c' and f6.seek(2) == 2

# %% case: object_whose_pickling_fails
class Bad7:
    def __reduce__(self): raise RuntimeError('no way')
bad7 = Bad7(); good7 = [7]; both7 = [bad7, good7]
# %%
good7.append(8)
# %% check
assert both7[1] is good7 and good7 == [7, 8] and ('no way' in repr(both7[0]) or type(both7[0]) is Bad7)

# %% case: weak_reference_and_memoryview
import weakref
class W8: pass
w8 = W8(); r8 = weakref.ref(w8); b8 = bytearray(b'abc'); m8 = memoryview(b8)
# %%
m8[0] = 120
# %% check
assert r8() is w8 and b8 == b'xbc' and m8[0] == 120

# %% case: iterators_go_on
i9 = iter([1, 2, 3]); next(i9); e9 = enumerate('xy')
# %%
next(i9);
# %% check
assert i9.__reduce__()[2] == 2 and e9.__reduce__()[1][1] == 0

# %% case: deep_list_and_linked_nodes
d10 = []
for _ in range(3000): d10 = [d10]
class Node10:
    next = None
head10 = tail10 = Node10()
for _ in range(3000): tail10.next = Node10(); tail10 = tail10.next
# %%
tail10.end = True
# %% check
def depth10(node, n=0):
    while node.next: node, n = node.next, n + 1
    return n, node
assert depth10(head10)[0] == 3000 and depth10(head10)[1] is tail10 and len(d10) == 1

# %% case: types_and_structs_of_the_notebook
import struct, typing
Id11 = typing.NewType('Id11', int); s11 = struct.Struct('<i')
# %%
p11 = s11.pack(Id11(5))
# %% check
assert s11.unpack(p11) == (5,) and Id11.__supertype__ is int and Id11.__name__ == 'Id11'

# %% case: the_shell_its_namespace_its_streams
ip11 = get_ipython(); ns11 = globals(); out11 = __import__('sys').stdout; env11 = __import__('os').environ
# %% check
assert ip11 is get_ipython() and ns11 is globals() and out11 is __import__('sys').stdout and env11 is __import__('os').environ

# %% case: named_by_the_variable_and_not_by_an_output
sock13 = __import__('socket').socket(); held13 = [sock13]
held13
# %%
n13 = len(held13)
# %% check
assert n13 == 1
try:
    assert held13[0].fileno() > 0  # at home
except RuntimeError as e:
    assert type(e).__name__ == 'PinnedError' and ("'sock13'" in str(e) or "'held13'" in str(e)) and 'run cell [' in str(e), str(e)
