# Objects of the standard library and of IPython that a notebook keeps in variables.
# %% case: kl_trees_and_messages
import xml.etree.ElementTree as kl_et, email.message, http.cookies, urllib.request
kl_root = kl_et.fromstring('<a><b x="1">t</b></a>'); kl_b = kl_root[0]; kl_tree = kl_et.ElementTree(kl_root); kl_msg = email.message.EmailMessage(); kl_msg['Subject'] = 's'; kl_c = http.cookies.SimpleCookie('a=1'); kl_req = urllib.request.Request('http://localhost/x', headers={'A': 'b'})
# %%
kl_b.set('x', '2'); kl_et.SubElement(kl_root, 'c'); kl_msg.set_content('body')
# %% check
assert kl_root[0] is kl_b and kl_b.get('x') == '2' and [e.tag for e in kl_tree.getroot()] == ['b', 'c'] and kl_tree.getroot() is kl_root and kl_msg['Subject'] == 's' and 'body' in kl_msg.get_content() and kl_c['a'].value == '1' and kl_req.get_header('A') == 'b'
# %% case: kl_parsers_and_templates
import argparse, string, configparser, gettext, textwrap
kl_p = argparse.ArgumentParser(prog='x'); kl_arg = kl_p.add_argument('--n', type=int, default=3); kl_sub = kl_p.add_subparsers(dest='cmd'); kl_run = kl_sub.add_parser('run'); kl_t = string.Template('$a'); kl_cfg = configparser.ConfigParser(); kl_cfg['s'] = {'k': 'v'}; kl_f = string.Formatter(); kl_ns = argparse.Namespace(a=[1])
# %%
kl_p.set_defaults(z=1); kl_run.add_argument('-v', action='store_true'); kl_cfg['s']['k'] = 'w'
# %% check
kl_o = kl_p.parse_args(['--n', '5', 'run', '-v']); assert (kl_o.n, kl_o.z, kl_o.v, kl_o.cmd) == (5, 1, True, 'run') and kl_t.substitute(a=1) == '1' and kl_cfg['s']['k'] == 'w' and kl_ns.a == [1] and kl_arg.default == 3
# %% case: kl_code_and_trees
import ast, types, dis
kl_code = compile('kl_made = kl_x + 1', '<kl>', 'exec'); kl_ast = ast.parse('f(1)\ng(2)'); kl_call = kl_ast.body[0].value; kl_x = 41
def kl_src(a, b=2): return a + b
kl_hand = types.FunctionType(kl_src.__code__, {'__builtins__': __builtins__}, 'hand', (5,)); kl_globals = {'n': 1}; exec('def bump():\n    global n\n    n += 1\n    return n', kl_globals); kl_bump = kl_globals['bump']
# %%
exec(kl_code); kl_bump()
# %%
kl_bump(); kl_call.func.id = 'h'
# %% check
import ast, inspect
assert kl_made == 42 and kl_hand(1) == 6 and kl_globals['n'] == 3 and kl_bump.__globals__ is kl_globals and kl_globals['bump'] is kl_bump and ast.unparse(kl_ast) == 'h(1)\ng(2)' and kl_ast.body[0].value is kl_call and 'a + b' in inspect.getsource(kl_src)
# %% case: kl_async_parts
import asyncio
kl_ev = asyncio.Event(); kl_q = asyncio.Queue(); kl_lock = asyncio.Lock(); kl_sem = asyncio.Semaphore(2)
# %%
kl_ev.set(); await kl_q.put([1]); await kl_sem.acquire()
# %% check
assert kl_ev.is_set() and kl_q.qsize() == 1 and not kl_lock.locked() and kl_sem._value == 1
# %% case: kl_archives_and_readers [pinned]
import zipfile, csv, io, hashlib, zlib
kl_buf = io.BytesIO(); kl_z = zipfile.ZipFile(kl_buf, 'w'); kl_z.writestr('a', 'x'); kl_csvf = io.StringIO('a,b\n1,2\n3,4\n'); kl_r = csv.reader(kl_csvf); kl_head = next(kl_r); kl_h = hashlib.sha256(b'a'); kl_zc = zlib.compressobj(); kl_ok = [1]
# %%
kl_ok.append(2)
# %% check
assert kl_ok == [1, 2] and kl_head == ['a', 'b']
assert kl_h.hexdigest() == hashlib.sha256(b'a').hexdigest() and next(kl_r) == ['1', '2'] and kl_zc.compress(b'x') is not None
# %% case: kl_dispatch
import functools, decimal
class KlPoint: pass
@functools.singledispatch
def kl_show(x): return 'any'
@kl_show.register
def _kl_int(x: int): return 'int'
kl_show.register(KlPoint, lambda x: 'point')
class KlHas:
    @functools.singledispatchmethod
    def m(self, x): return 'any'
    @m.register
    def _(self, x: str): return 'str'
    half = functools.partialmethod(lambda self, a, b: (a, b), 1)
    @functools.cached_property
    def once(self): return [1]
kl_has = KlHas(); kl_once = kl_has.once
# %%
@kl_show.register
def _kl_dec(x: decimal.Decimal): return 'dec'
kl_once.append(2)
# %% check
import decimal
assert [kl_show(v) for v in (1, KlPoint(), decimal.Decimal(1), 'x')] == ['int', 'point', 'dec', 'any'] and kl_has.m('s') == 'str' and kl_has.m(1) == 'any' and kl_has.half(2) == (1, 2) and kl_has.once is kl_once == [1, 2]
# %% case: kl_caches
import functools
kl_calls = []
@functools.lru_cache(maxsize=2)
def kl_fib(n, *, k=0): kl_calls.append(n); return [n, k]
kl_a = kl_fib(1); kl_b2 = kl_fib(2, k=3); kl_fib(1)
class KlM:
    @functools.lru_cache(None)
    def f(self, x): kl_calls.append(('f', x)); return x * 2
kl_m = KlM(); kl_m.f(4)
# %%
kl_a.append('changed')
# %% check
assert kl_fib.cache_info()[:2] == (1, 2) and kl_fib(1) is kl_a and kl_a[-1] == 'changed' and kl_fib(2, k=3) is kl_b2 and kl_m.f(4) == 8 and kl_calls == [1, 2, ('f', 4)]
# %% case: kl_typing
import typing, collections.abc, dataclasses
KlT = typing.TypeVar('KlT', bound=int); KlP = typing.ParamSpec('KlP'); KlId = typing.NewType('KlId', str)
class KlTD(typing.TypedDict, total=False):
    a: int
class KlTD2(KlTD): b: str
@typing.runtime_checkable
class KlProto(typing.Protocol):
    def go(self) -> int: ...
class KlBox(typing.Generic[KlT]):
    def __init__(self, v: KlT): self.v = v
class KlIntBox(KlBox[int]): pass
class KlNT(typing.NamedTuple):
    x: int; y: list = []
kl_types = [typing.Optional[int], list[KlT], KlBox[int], typing.Callable[[int], str], int | None, KlProto, KlTD]; kl_box = KlIntBox(3); kl_nt = KlNT(1)
class KlGo:
    def go(self): return 1
# %%
kl_nt.y.append(1); kl_ann = typing.get_type_hints(KlTD2)
# %% check
import typing
assert isinstance(KlGo(), KlProto) and not isinstance(3, KlProto) and KlTD2.__total__ and KlTD2.__optional_keys__ == {'a'} and kl_ann == {'a': int, 'b': str} and kl_types[1].__args__[0] is KlT and kl_types[2].__origin__ is KlBox and kl_types[5] is KlProto and KlT.__bound__ is int and kl_box.v == 3 and KlIntBox.__orig_bases__ == (KlBox[int],) and kl_nt == (1, [1]) and KlNT._field_defaults['y'] is kl_nt.y and KlId('x') == 'x'
# %% case: kl_context_variables
import contextvars
kl_cv = contextvars.ContextVar('kl_cv', default=[0]); kl_ctx = contextvars.copy_context(); kl_ctx.run(kl_cv.set, 5); kl_cv2 = kl_cv
# %%
kl_ctx.run(kl_cv.set, 6)
# %% check
assert kl_ctx[kl_cv] == 6 and kl_cv2 is kl_cv and kl_cv.name == 'kl_cv' and kl_ctx.run(kl_cv.get) == 6 and kl_cv.get() == [0]
# %% case: kl_traits
import traitlets
class KlTraits(traitlets.HasTraits):
    n = traitlets.Int(1); names = traitlets.List()
    @traitlets.observe('n')
    def _saw(self, change): kl_tlog.append(('class', change['new']))
    @traitlets.validate('n')
    def _valid(self, p): return abs(p['value'])
kl_tlog = []; kl_tr = KlTraits(); kl_tr.observe(lambda c: kl_tlog.append(('own', c['new'])), 'n')
# %%
kl_tr.n = -5
# %% check
assert kl_tr.n == 5 and kl_tlog == [('class', 5), ('own', 5)], kl_tlog
kl_tr.n = 7; assert kl_tlog[2:] == [('class', 7), ('own', 7)] and KlTraits().n == 1
# %% case: kl_display_objects
from IPython.display import display, HTML, Markdown
from IPython.utils.capture import capture_output
with capture_output() as kl_cap: print('inside'); display(HTML('<b>x</b>'))
kl_handle = display('d', display_id=True); kl_html = HTML('<i>1</i>')
# %%
kl_handle.update('e')
# %% check
assert kl_cap.stdout == 'inside\n' and kl_cap.outputs[0].data['text/html'] == '<b>x</b>' and kl_html.data == '<i>1</i>' and kl_handle.display_id
# %% case: kl_registries_and_singletons
import os, sys, logging, numpy as np, random, types, builtins, operator, codecs
ks = [os.environ, sys.stdout, logging.getLogger(), logging.getLogger('kl.x'), np.float64, np.random, random.random, len, print, type(None), types.SimpleNamespace, operator.itemgetter(1), NotImplemented, Ellipsis, codecs.lookup('utf-8'), sys.modules, os.path, sys]
kl_env = os.environ; kl_log = ks[3]; kl_builtin = builtins
# %%
kl_log.setLevel(17); kl_env['KL_X'] = '1'
# %% check
import os, sys, logging, numpy as np, random, builtins
assert ks[0] is os.environ is kl_env and ks[1] is sys.stdout and ks[2] is logging.getLogger() and ks[3] is logging.getLogger('kl.x') is kl_log and ks[4] is np.float64 and ks[5] is np.random and ks[6] is random.random and ks[7] is len and ks[8] is print and ks[11]([1, 2]) == 2 and ks[12] is NotImplemented and ks[15] is sys.modules and ks[17] is sys and kl_builtin is builtins and os.environ['KL_X'] == '1'
# %% case: kl_classes_by_hand
class KlMeta(type):
    registry = {}
    def __new__(m, name, bases, ns, **kw):
        c = super().__new__(m, name, bases, ns); m.registry[name] = c; return c
    def __call__(cls, *a):
        if not hasattr(cls, '_one'): cls._one = super().__call__(*a)
        return cls._one
class KlSingle(metaclass=KlMeta):
    def __init__(self): self.items = []
class KlDesc:
    def __set_name__(self, owner, name): self.name = name
    def __get__(self, obj, owner=None): return self if obj is None else obj.__dict__.get(self.name, 'unset')
    def __set__(self, obj, value): obj.__dict__[self.name] = value
class KlUses:
    d = KlDesc()
    __slots__ = ('__dict__', 's')
KlMade = type('KlMade', (KlUses,), {'extra': lambda self: self.s})
kl_one = KlSingle(); kl_u = KlUses(); kl_u.d = [1]; kl_u.s = kl_u.d; kl_mk = KlMade(); kl_mk.s = 4
# %%
KlSingle().items.append(1); kl_u.d.append(2); KlUses.added = property(lambda self: len(self.d))
class KlNext(KlSingle): pass
# %% check
assert KlSingle() is kl_one and kl_one.items == [1] and set(KlMeta.registry) == {'KlSingle', 'KlNext'} and KlMeta.registry['KlSingle'] is KlSingle and kl_u.d is kl_u.s and kl_u.added == 2 and KlUses.d.name == 'd' and kl_mk.extra() == 4 and type(KlNext) is KlMeta
# %% case: kl_instances_changed_by_hand
import types
class KlPlain:
    def hello(self): return 'class'
kl_i = KlPlain(); kl_i.hello = types.MethodType(lambda self: ('own', self is kl_i), kl_i); kl_j = KlPlain(); kl_bound = kl_j.hello; kl_dict = kl_j.__dict__
class KlOther:
    def hello(self): return 'other'
kl_k = KlPlain(); kl_k.__class__ = KlOther
# %%
kl_dict['x'] = [1]; KlPlain.hello = lambda self: 'patched'
# %% check
assert kl_i.hello() == ('own', True) and kl_j.x == [1] and vars(kl_j) is kl_dict and kl_bound() == 'class' and kl_bound.__self__ is kl_j and kl_j.hello() == 'patched' and kl_k.hello() == 'other' and type(kl_k) is KlOther
# %% case: kl_databases
import sqlite3
kl_db = sqlite3.connect(':memory:'); kl_db.execute('create table t(a)'); kl_db.commit(); kl_fdb = sqlite3.connect('kl.db'); kl_fdb.execute('create table if not exists t(a)'); kl_db.row_factory = sqlite3.Row; kl_cur = kl_db.cursor()
# %%
kl_db.execute('insert into t values (5)'); kl_db.commit(); kl_fdb.execute('insert into t values (6)'); kl_fdb.commit()
# %% check
assert kl_db.execute('select a from t').fetchone()['a'] == 5 and kl_fdb.execute('select max(a) from t').fetchone()[0] == 6 and kl_cur.connection is kl_db
