# Exceptions as values, and cells that fail half way: what happened before the error has happened.
# %% case: err_middle_of_a_cell
emc_list, emc_d = [], {'keep': 1}
# %% raises ZeroDivisionError
emc_list.append('before')
emc_new = {'list': emc_list}
del emc_d['keep']
emc_x = 1 / 0
emc_list.append('after')
emc_never = 1
# %% check
assert emc_list == ['before'] and emc_new['list'] is emc_list and emc_d == {}
assert 'emc_x' not in globals() and 'emc_never' not in globals()
# %% case: err_deep_in_a_loop_with_cleanup
import contextlib
edl_log = []
@contextlib.contextmanager
def edl_open(n):
    edl_log.append(('open', n))
    try: yield n
    finally: edl_log.append(('close', n))
class EdlJob:
    done = 0
    def run(self, k):
        self.last = k
        if k == 2: raise KeyError(k)
        EdlJob.done += 1
edl_job = EdlJob()
# %% raises KeyError
for edl_i in range(5):
    with edl_open(edl_i) as edl_h:
        try:
            edl_job.run(edl_i)
        finally:
            edl_fin = edl_i
# %% check
assert (edl_i, edl_h, edl_fin, edl_job.last, EdlJob.done) == (2, 2, 2, 2, 2)
assert edl_log[-1] == ('close', 2) and len(edl_log) == 6
# %% case: err_syntax_error_runs_nothing
esn_x = ['untouched']
# %% raises SyntaxError
esn_x.append('no')
esn_y = 1
def broken(:
    pass
# %% raises IndentationError
esn_x.clear()
  esn_z = 2
# %%
esn_x.append('next')
# %% check
assert esn_x == ['untouched', 'next'] and 'esn_y' not in globals() and 'esn_z' not in globals() and 'broken' not in globals()
# %% case: err_class_body_and_failed_rebinding
class EcbThing:
    kind = 'old'
ecb_steps = []
ecb_obj = EcbThing()
# %% raises RuntimeError
ecb_steps.append(1)
class EcbThing:
    kind = 'new'
    ecb_steps.append(2)
    raise RuntimeError('in the body')
# %% raises ValueError
ecb_a, ecb_b = 1, 2
ecb_a, ecb_b = 10, 20, 30
# %% raises TypeError
ecb_c = ecb_d = [0]
ecb_c[0], ecb_c['k'] = 'first', 'second'
# %% check
assert EcbThing.kind == 'old' and type(ecb_obj) is EcbThing and ecb_steps == [1, 2]
assert (ecb_a, ecb_b) == (1, 2) and ecb_c is ecb_d and ecb_d == ['first']
# %% case: err_custom_init_signature
class EciApiError(Exception):
    def __init__(self, code, *, payload=None):
        super().__init__(f'HTTP {code}')
        self.code, self.payload = code, payload
class EciSub(EciApiError):
    def __init__(self): super().__init__(500, payload=eci_body); self.retry = True
eci_body = {'why': ['quota']}
try:
    raise EciApiError(429, payload=eci_body)
except EciApiError as e:
    eci_err = e
# %%
eci_all = [eci_err, EciSub()]
eci_err.seen = eci_all
# %% check
assert str(eci_err) == 'HTTP 429' and eci_err.args == ('HTTP 429',) and eci_err.code == 429
assert eci_err.payload is eci_body is eci_all[1].payload and eci_err.seen is eci_all and eci_all[0] is eci_err
assert type(eci_all[1]) is EciSub and eci_all[1].retry and isinstance(eci_all[1], EciApiError) and eci_all[1].code == 500
# %% case: err_chain_cause_context_notes
ecc_root = OSError(2, 'No such file', 'data.csv')
try:
    try:
        raise ecc_root
    except OSError as e:
        ecc_ctx_seen = e
        raise ValueError('bad config') from e
except ValueError as e:
    e.add_note('while loading'); ecc_err = e
try:
    try: [][0]
    except IndexError: {}['missing']
except KeyError as e:
    ecc_implicit = e
# %%
ecc_err.add_note('second note')
# %% check
assert ecc_err.__cause__ is ecc_root is ecc_ctx_seen and ecc_err.__suppress_context__ and ecc_err.__context__ is ecc_root
assert type(ecc_root) is FileNotFoundError and ecc_root.errno == 2 and ecc_root.filename == 'data.csv'
assert ecc_err.__notes__ == ['while loading', 'second note']
assert type(ecc_implicit.__context__) is IndexError and ecc_implicit.__cause__ is None and ecc_implicit.args == ('missing',)
assert not ecc_implicit.__suppress_context__
# %% case: err_exception_groups
class EegA(Exception): pass
eeg_parts = [EegA('one'), ValueError('two'), EegA('three')]
try:
    raise ExceptionGroup('several', [eeg_parts[0], ExceptionGroup('inner', eeg_parts[1:])])
except* EegA as eg:
    eeg_a = eg
except* ValueError as eg:
    eeg_v = eg
# %%
eeg_split = eeg_a.split(lambda x: x.args == ('one',))
# %% check
assert eeg_a.exceptions[0] is eeg_parts[0] and eeg_a.exceptions[1].exceptions == (eeg_parts[2],)
assert eeg_v.exceptions[0].exceptions[0] is eeg_parts[1] and eeg_v.message == 'several'
assert eeg_split[0].exceptions == (eeg_parts[0],) and eeg_split[1].exceptions[0].message == 'inner'
assert isinstance(eeg_a, ExceptionGroup) and 'eg' not in globals()
# %% case: err_traceback_still_tells
import traceback
def etb_parse(text):
    return etb_inner(int(text))
def etb_inner(n):
    raise LookupError(f'nothing at {n}')
try:
    etb_parse('7')
except LookupError as e:
    etb_err = e
# %%
etb_text = ''.join(traceback.format_exception(etb_err))
# %% check
etb_frames = traceback.extract_tb(etb_err.__traceback__)
assert [f.name for f in etb_frames][-2:] == ['etb_parse', 'etb_inner']
assert 'nothing at 7' in etb_text and ''.join(traceback.format_exception(etb_err)) == etb_text
assert "raise LookupError" in etb_text and etb_frames[-1].line.startswith('raise LookupError')
# %% case: err_builtin_exceptions_with_fields
import json, subprocess
ebf = {}
for ebf_name, ebf_fn in {
    'json': lambda: json.loads('{"a": }'), 'uni': lambda: b'ab\xff'.decode('utf8'), 'attr': lambda: (3).foo,
    'stop': lambda: next(iter(())), 'imp': lambda: __import__('no_such_module_ebf'), 'syn': lambda: compile('a b', 'f.py', 'exec'),
    'name': lambda: ebf_undefined}.items():
    try: ebf_fn()
    except Exception as e: ebf[ebf_name] = e
ebf['proc'] = subprocess.CalledProcessError(3, ['ls', '-x'], output=b'out')
ebf['exit'] = SystemExit(4)
# %%
ebf['json'].handled = ebf['uni']
# %% check
assert (ebf['json'].pos, ebf['json'].lineno, ebf['json'].doc) == (6, 1, '{"a": }') and ebf['json'].handled is ebf['uni']
assert (ebf['uni'].start, ebf['uni'].object, ebf['uni'].encoding) == (2, b'ab\xff', 'utf-8')
assert ebf['attr'].name == 'foo' and ebf['attr'].obj == 3 and ebf['imp'].name == 'no_such_module_ebf'
assert ebf['name'].name == 'ebf_undefined' and ebf['syn'].filename == 'f.py' and ebf['syn'].text.strip() == 'a b'
assert ebf['proc'].returncode == 3 and ebf['proc'].cmd == ['ls', '-x'] and ebf['proc'].stdout == b'out' and ebf['exit'].code == 4
# %% case: err_stored_and_raised_again
class EsrRetry(Exception):
    attempts = 0
esr_first = EsrRetry('flaky')
def esr_call():
    EsrRetry.attempts += 1
    raise esr_first
# %% raises EsrRetry
esr_call()
# %% raises EsrRetry
esr_before = esr_first.args
esr_call()
# %% check
try:
    esr_call()
except EsrRetry as e:
    esr_same = e is esr_first
assert esr_same and EsrRetry.attempts == 3 and esr_before == ('flaky',)
# %% case: err_last_error_is_in_sys [alone]
import sys
esy_data = {'bad': None}
# %% raises AttributeError
esy_data['bad'].strip()
# %%
esy_type = sys.last_type
# %% check
assert sys.last_type is AttributeError is esy_type
assert isinstance(sys.last_value, AttributeError) and sys.last_value.name == 'strip' and 'strip' in str(sys.last_value)
# %% case: err_interrupt_await_and_assert
import asyncio
eia_done = []
async def eia_step(k):
    await asyncio.sleep(0)
    if k == 2: raise TimeoutError(k)
    eia_done.append(k)
# %% raises KeyboardInterrupt
eia_half = {'rows': [1, 2]}
raise KeyboardInterrupt
# %% raises TimeoutError
for eia_k in range(4):
    await eia_step(eia_k)
# %% raises AssertionError
eia_half['rows'].append(3)
assert not eia_half, 'always'
# %% check
assert eia_half == {'rows': [1, 2, 3]} and eia_done == [0, 1] and eia_k == 2
# %% case: err_recorded_warnings
import warnings
class ErwWarning(UserWarning): pass
with warnings.catch_warnings(record=True) as erw_seen:
    warnings.simplefilter('always')
    warnings.warn('drift', ErwWarning)
    warnings.warn(ErwWarning('second', {'k': 1}))
# %%
erw_msgs = [w.message for w in erw_seen]
# %% check
assert len(erw_seen) == 2 and erw_seen[0].category is ErwWarning and erw_seen[1].message is erw_msgs[1]
assert type(erw_msgs[0]) is ErwWarning and erw_msgs[1].args == ('second', {'k': 1}) and str(erw_msgs[0]) == 'drift'
