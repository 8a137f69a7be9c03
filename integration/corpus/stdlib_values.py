# Library objects that look like values and carry more than their repr: order, factories, zones, positions, hooks.
# %% case: std_collections_family
import collections
scf_dd = collections.defaultdict(lambda: len(scf_dd)); scf_dd['a'], scf_dd['b']
scf_nested = collections.defaultdict(lambda: collections.defaultdict(list))
scf_base, scf_over = {'lr': 1}, {}
scf_chain = collections.ChainMap(scf_over, scf_base)
scf_child = scf_chain.new_child()
scf_od = collections.OrderedDict.fromkeys('abc'); scf_od.move_to_end('a')
scf_c = collections.Counter('hello'); scf_c['l'] -= 5
class ScfUser(collections.UserDict):
    def __setitem__(self, k, v): super().__setitem__(k.lower(), v)
scf_u = ScfUser(A=1)
# %%
scf_nested['x']['y'].append(scf_dd); scf_child['lr'] = 3; scf_chain['m'] = 4
# %% check
assert scf_dd['new'] == 2 and dict(scf_dd) == {'a': 0, 'b': 1, 'new': 2}      # the factory counts the keys so far
assert scf_nested['x']['y'][0] is scf_dd and scf_nested['q']['r'] == [] and scf_over == {'m': 4}
scf_base['late'] = 9
assert scf_child['late'] == 9 and scf_chain['lr'] == 1 and scf_child.maps[2] is scf_base and scf_child.parents.maps[0] is scf_over
assert list(scf_od) == ['b', 'c', 'a'] and scf_od.popitem(last=False) == ('b', None)
assert scf_c['l'] == -3 and scf_c['zzz'] == 0 and 'zzz' not in scf_c and +scf_c == {'h': 1, 'e': 1, 'o': 1}
scf_u['BB'] = 2
assert scf_u.data == {'a': 1, 'bb': 2}
# %% case: std_datetime_zones_and_fold
import datetime as sdz_dt, zoneinfo
class SdzFixed(sdz_dt.tzinfo):
    def __init__(self, h=0): self.h = h
    def utcoffset(self, d): return sdz_dt.timedelta(hours=self.h)
    def dst(self, d): return sdz_dt.timedelta(0)
    def tzname(self, d): return f'F{self.h}'
sdz_zone = zoneinfo.ZoneInfo('Europe/Berlin')
sdz_a = sdz_dt.datetime(2024, 10, 27, 2, 30, tzinfo=sdz_zone, fold=1)
sdz_mine = SdzFixed(3)
sdz_b = sdz_a.astimezone(sdz_mine)
sdz_u = sdz_dt.datetime(2024, 1, 1, tzinfo=sdz_dt.timezone.utc)
# %%
sdz_mine.h = 4
sdz_nocache = zoneinfo.ZoneInfo.no_cache('Europe/Paris')
# %% check
assert sdz_a.fold == 1 and sdz_a.utcoffset() == sdz_dt.timedelta(hours=1) and sdz_a.tzinfo is sdz_zone is zoneinfo.ZoneInfo('Europe/Berlin')
assert sdz_b.tzinfo is sdz_mine and sdz_b.utcoffset() == sdz_dt.timedelta(hours=4) and sdz_b.hour == 4
assert sdz_u.tzinfo is sdz_dt.timezone.utc and sdz_nocache is not zoneinfo.ZoneInfo('Europe/Paris') and sdz_nocache.key == 'Europe/Paris'
# %% case: std_one_fixed_zone_in_many_moments
import datetime
std_nepal = datetime.timezone(datetime.timedelta(hours=5, minutes=45), "NPT"); std_utc = datetime.timezone.utc
std_offices = {"Kathmandu": std_nepal, "Greenwich": std_utc}
# %%
std_moments = [datetime.datetime(2024, 10, 27, 2, 30, tzinfo=std_nepal), datetime.time(1, tzinfo=std_nepal)]
std_noon = datetime.datetime(2024, 1, 1, 12, tzinfo=std_utc)
# %% check
import datetime
assert std_moments[0].tzname() == "NPT" and std_moments[0].tzinfo is std_moments[1].tzinfo is std_nepal is std_offices["Kathmandu"]
assert std_noon.tzinfo is std_utc is datetime.timezone.utc is std_offices["Greenwich"]
# %% case: std_decimal_fraction_contexts
import decimal, fractions
sdf_ctx = decimal.Context(prec=4, rounding=decimal.ROUND_UP, traps=[decimal.InvalidOperation])
sdf_one = sdf_ctx.divide(decimal.Decimal(1), decimal.Decimal(3))
sdf_vals = [decimal.Decimal('1.10'), decimal.Decimal('-0'), decimal.Decimal('sNaN12'), decimal.Decimal('1E+5')]
with decimal.localcontext() as sdf_local:
    sdf_local.prec = 2
    sdf_two = +decimal.Decimal('1.2345')
# %%
sdf_frac = fractions.Fraction(1, 3) + fractions.Fraction('1/6')
# %% check
assert str(sdf_one) == '0.3334' and sdf_ctx.flags[decimal.Inexact] and sdf_ctx.prec == 4
assert [str(v) for v in sdf_vals] == ['1.10', '-0', 'sNaN12', '1E+5'] and str(sdf_two) == '1.2'
try:
    sdf_ctx.create_decimal('oops')
except decimal.InvalidOperation:
    sdf_trap = True
assert sdf_trap and str(sdf_ctx.divide(decimal.Decimal(1), decimal.Decimal(0))) == 'Infinity' and sdf_ctx.flags[decimal.DivisionByZero]
assert sdf_frac == fractions.Fraction(1, 2) and sdf_local.prec == 2 and decimal.getcontext().prec == 28
# %% case: std_decimal_ambient_context [alone]
import decimal
decimal.getcontext().prec = 6
decimal.getcontext().rounding = decimal.ROUND_FLOOR
sda_first = decimal.Decimal(2) / 3
# %%
decimal.getcontext().traps[decimal.Inexact] = False
sda_ctx = decimal.getcontext()
# %% check
assert str(sda_first) == '0.666666' and str(decimal.Decimal(1) / 7) == '0.142857' and str(decimal.Decimal(-1) / 7) == '-0.142858'
assert decimal.getcontext().prec == 6 and sda_ctx is decimal.getcontext() and sda_ctx.flags[decimal.Inexact]
# %% case: std_regex_patterns_and_matches
import re
srm_pat = re.compile(r'(?P<key>\w+)=(?P<val>\d+)?', re.I)
srm_text = 'a=1, b=, c=33'
srm_all = [m for m in srm_pat.finditer(srm_text)]
srm_m = srm_pat.search(srm_text, 4)
srm_full = re.fullmatch('(a|ab)(c|bcd)?', 'abcd')
# %%
def srm_sub(m): return f"{m['key']}<{m['val'] or '?'}>"
srm_out = srm_pat.sub(srm_sub, srm_text)
# %% check
assert srm_out == 'a<1>, b<?>, c<33>' and srm_pat is re.compile(srm_pat.pattern, re.I)
assert [m.span() for m in srm_all] == [(0, 3), (5, 7), (9, 13)] and srm_all[2]['val'] == '33' and srm_all[1]['val'] is None
assert srm_m.span() == (5, 7) and srm_m.re is srm_pat and srm_m.string == srm_text and srm_m.pos == 4 and srm_m.groupdict() == {'key': 'b', 'val': None}
assert srm_full.groups() == ('a', 'bcd') and srm_m.lastgroup == 'key' and srm_m.expand(r'<\1>') == '<b>'
# %% case: std_string_io_positions
import io, csv
ssp_s = io.StringIO('line1\nline2\nline3\n'); ssp_first = ssp_s.readline()
ssp_b = io.BytesIO(); ssp_b.write(b'abcdef'); ssp_b.seek(2)
ssp_text = io.TextIOWrapper(io.BytesIO(b'x;1\ny;2\n'), encoding='utf8')
ssp_out = io.StringIO(newline='')
class SspTee(io.StringIO):
    def __init__(self, also): super().__init__(); self.also = also
    def write(self, t): self.also.append(t); return super().write(t)
ssp_log = []
ssp_tee = SspTee(ssp_log)
# %%
csv.writer(ssp_out, delimiter=';').writerow(['a;b', 1])
print('hello', file=ssp_tee, end='|')
# %% check
assert ssp_s.readline() == 'line2\n' and ssp_s.tell() == 12 and ssp_first == 'line1\n'
ssp_b.write(b'ZZ')
assert ssp_b.getvalue() == b'abZZef' and ssp_b.read() == b'ef'
print('again', file=ssp_tee, end='')
assert ''.join(ssp_log) == 'hello|again' == ssp_tee.getvalue() and ssp_tee.also is ssp_log
assert ssp_out.getvalue() == '"a;b";1\r\n' and ssp_text.readline() == 'x;1\n'
# %% case: std_mappingproxy_and_frozen_views
import types
smf_src = {'a': 1}
smf_ro = types.MappingProxyType(smf_src)
class SmfKlass: attr = smf_ro
smf_cls_vars = vars(SmfKlass)
smf_fn = types.MethodType(lambda self, k: self[k], smf_ro)
smf_slice, smf_rng, smf_ell = slice(1, None, [2]), range(10)[2:8:3], (..., NotImplemented, None)
# %%
smf_src['b'] = smf_ro
# %% check
smf_src['c'] = 3
assert smf_ro['c'] == 3 and smf_ro['b'] is smf_ro and SmfKlass.attr is smf_ro and smf_fn('a') == 1
SmfKlass.later = 5
assert smf_cls_vars['later'] == 5
try:
    smf_ro['x'] = 1
except TypeError:
    smf_ok = True
assert smf_ok and smf_slice.step == [2] and list(smf_rng) == [2, 5] and smf_ell[0] is Ellipsis and smf_ell[1] is NotImplemented
# %% case: std_random_instances_and_shared_positions
import random
srp_r = random.Random(7)
class SrpLoud(random.Random):
    calls = 0
    def random(self):
        SrpLoud.calls += 1
        return super().random()
srp_l = SrpLoud(7)
srp_gauss = srp_r.gauss(0, 1)                  # leaves a second value in gauss_next
srp_pick = srp_r.choice
# %%
srp_state = srp_r.getstate()
srp_a = [srp_pick('abc') for _i in range(3)] + [srp_l.random()]
# %% check
srp_chk = random.Random(7); assert srp_chk.gauss(0, 1) == srp_gauss
assert [srp_chk.choice('abc') for _i in range(3)] == srp_a[:3]
assert srp_r.gauss(0, 1) == srp_chk.gauss(0, 1) and srp_pick('abcdef') == srp_chk.choice('abcdef') and srp_pick.__self__ is srp_r
srp_r.setstate(srp_state)
assert srp_r.gauss_next is not None and SrpLoud.calls == 1 and srp_l.random() != srp_a[3] and SrpLoud.calls == 2
# %% case: std_global_random_position [alone]
import random
random.seed(123)
srg_a = [random.random() for _ in range(3)] + [random.gauss(0, 1)]
# %%
srg_b = random.sample(range(100), 5)
srg_inst = random._inst
# %% check
srg_r = random.Random(123)
assert [srg_r.random() for _ in range(3)] + [srg_r.gauss(0, 1)] == srg_a and srg_r.sample(range(100), 5) == srg_b
assert random.gauss(0, 1) == srg_r.gauss(0, 1) and random.random() == srg_r.random() and random.random.__self__ is srg_inst
# %% case: std_argparse_config_template_path
import argparse, configparser, pathlib, string
sac_p = argparse.ArgumentParser('tool')
sac_p.add_argument('--n', type=lambda s: int(s) * 2, default=1)
sac_act = sac_p.add_argument('--flag', action='store_true')
sac_p.add_mutually_exclusive_group().add_argument('--q', choices=['a', 'b'])
sac_sub = sac_p.add_subparsers(dest='cmd').add_parser('run'); sac_sub.add_argument('file', type=pathlib.Path)
sac_cfg = configparser.ConfigParser(); sac_cfg.read_string('[a]\nroot=/x\npath=%(root)s/y\n')
sac_sec = sac_cfg['a']
# %%
sac_ns = sac_p.parse_args(['--n', '3', 'run', 'f.txt'])
sac_sec['root'] = '/z'; sac_p.set_defaults(extra=sac_ns)
# %% check
assert sac_ns.n == 6 and sac_ns.file == pathlib.Path('f.txt') and sac_p.parse_args([]).extra is sac_ns and sac_act.dest == 'flag'
sac_act.default = 'changed'
assert sac_p.parse_args([]).flag == 'changed' and sac_p.parse_args(['run', 'g']).cmd == 'run'
assert sac_cfg.get('a', 'path') == '/z/y' and sac_sec.parser is sac_cfg and string.Template('$a').substitute(sac_sec, a=1) == '1'
# %% case: std_hash_object_mid_update [pinned]
import hashlib
sho_h = hashlib.sha256(b'part one ')
# %% check
sho_h.update(b'part two')
assert sho_h.hexdigest() == hashlib.sha256(b'part one part two').hexdigest()
# %% case: std_xml_json_heap_graph
import xml.etree.ElementTree as sxj_et, json, heapq, graphlib, queue
sxj_tree = sxj_et.ElementTree(sxj_et.fromstring('<a x="1"><b>t</b><c/></a>'))
sxj_b = sxj_tree.getroot().find('b')
class SxjEnc(json.JSONEncoder):
    def default(self, o): return sorted(o) if isinstance(o, set) else super().default(o)
sxj_enc = SxjEnc(indent=None, sort_keys=True)
sxj_ts = graphlib.TopologicalSorter({'d': {'b', 'c'}, 'b': {'a'}, 'c': {'a'}}); sxj_ts.prepare()
sxj_q = queue.PriorityQueue(); sxj_lifo = queue.LifoQueue(maxsize=1)
# %%
sxj_b.set('y', '2'); sxj_ready = sxj_ts.get_ready(); sxj_ts.done('a')
sxj_q.put((2, 'b')); sxj_q.put((1, sxj_tree)); sxj_lifo.put('full')
# %% check
assert sxj_tree.getroot()[0] is sxj_b and sxj_b.attrib == {'y': '2'}
sxj_b.text = 'new'
assert b'>new<' in sxj_et.tostring(sxj_tree.getroot()) and sxj_enc.encode({'z': {2, 1}, 'a': 0}) == '{"a": 0, "z": [1, 2]}'
assert sxj_ready == ('a',) and sorted(sxj_ts.get_ready()) == ['b', 'c'] and not sxj_ts.get_ready()
assert sxj_q.get_nowait()[1] is sxj_tree and sxj_q.qsize() == 1 and sxj_lifo.full() and sxj_q.unfinished_tasks == 2
try:
    sxj_lifo.put_nowait(1)
except queue.Full:
    sxj_full = True
assert sxj_full
# %% case: std_slices_and_proxies_of_own_objects
import types
class SsoKey:
    def __init__(self, k): self.k = k
    def __hash__(self): return hash(self.k)
    def __eq__(self, o): return isinstance(o, SsoKey) and self.k == o.k
sso_key = SsoKey("x"); sso_d = {sso_key: "own"}; sso_key.home = sso_d
sso_slice = slice(sso_d, [sso_key], None); sso_proxy = types.MappingProxyType(sso_d)
# %%
sso_d["proxy"] = sso_proxy; sso_slice.stop.append(sso_proxy)
# %% check
assert sso_slice.start is sso_d is sso_key.home and sso_slice.stop[0] is sso_key and sso_slice.stop[1] is sso_proxy
assert sso_proxy["proxy"] is sso_proxy and sso_proxy[SsoKey("x")] == "own" and next(iter(sso_d)) is sso_key
