# The standard library's objects kept between cells and used further on.
# %% case: d_std_word_count
from collections import Counter, defaultdict, deque, OrderedDict
d_words = Counter('the cat and the dog and the bird'.split())
d_by_length = defaultdict(list)
d_recent = deque(maxlen=3)
# %%
for d_wd in d_words:
    d_by_length[len(d_wd)].append(d_wd)
    d_recent.append(d_wd)
# %%
d_words.update(['cat', 'cat'])
# %% check
assert d_words.most_common(2) == [('the', 3), ('cat', 3)] and d_words['fish'] == 0
assert d_by_length[99] == [] and 99 in d_by_length
d_recent.append('new')
assert list(d_recent) == ['dog', 'bird', 'new']
# %% case: d_std_iterators_half_read
import itertools
d_ids = itertools.count(100, 5)
d_turns = itertools.cycle(['red', 'blue', 'green'])
d_left, d_right = itertools.tee([1, 2, 3, 4])
d_lines = iter(['header', 'row 1', 'row 2'])
# %%
d_header = next(d_lines)
d_taken = [next(d_ids), next(d_ids)]
next(d_turns), next(d_turns)
next(d_left), next(d_left)
# %% check
assert next(d_ids) == 110
assert [next(d_turns) for _ in range(3)] == ['green', 'red', 'blue']
assert list(d_lines) == ['row 1', 'row 2']
assert list(d_left) == [3, 4] and list(d_right) == [1, 2, 3, 4]
# %% case: d_std_lru_and_dispatch
import functools
@functools.lru_cache(maxsize=2)
def d_square_slowly(n):
    return n * n
@functools.singledispatch
def d_describe(x):
    return 'something'
@d_describe.register
def _d_describe_int(x: int):
    return f'int {x}'
# %%
d_square_slowly(3), d_square_slowly(3), d_square_slowly(4)
@d_describe.register(list)
def _d_describe_list(x):
    return f'list of {len(x)}'
d_to_binary = functools.partial(int, base=2)
# %% check
assert [d_describe(x) for x in (1, [1, 2], 'a')] == ['int 1', 'list of 2', 'something']
assert d_to_binary('101') == 5
assert d_square_slowly(5) == 25 and d_square_slowly.cache_info().maxsize == 2
# %% case: d_std_dates_with_zones
from datetime import datetime, timedelta, timezone, date
from zoneinfo import ZoneInfo
d_paris = ZoneInfo('Europe/Paris')
d_meeting = datetime(2024, 3, 30, 9, 0, tzinfo=d_paris)
# %%
d_series = [d_meeting + timedelta(days=k) for k in range(3)]
d_india = timezone(timedelta(hours=5, minutes=30), 'IST')
d_call = d_meeting.astimezone(d_india)
# %% check
assert [str(m.utcoffset()) for m in d_series] == ['1:00:00', '2:00:00', '2:00:00']
assert d_series[2].tzinfo is d_paris and d_paris is ZoneInfo('Europe/Paris')
assert d_call == d_meeting and d_call.strftime('%H:%M %Z') == '13:30 IST'
# %% case: d_std_random_private_and_global [alone]
import random
random.seed(2024)
d_rng = random.Random(7)
d_first_rolls = [d_rng.randint(1, 6) for _ in range(5)]
random.random()
# %%
d_second_rolls = [d_rng.randint(1, 6) for _ in range(5)]
d_gauss_one = random.gauss(0, 1)
# %% check
d_fresh = random.Random(7)
assert [d_fresh.randint(1, 6) for _ in range(10)] == d_first_rolls + d_second_rolls
assert d_rng.random() == d_fresh.random()
d_again = random.Random(2024)
d_again.random()
assert d_again.gauss(0, 1) == d_gauss_one
assert random.gauss(0, 1) == d_again.gauss(0, 1)
# %% case: d_std_csv_reader_on_memory
import csv, io
d_text = io.StringIO('name,score\nann,3\nbob,5\ncleo,9\n')
d_reader = csv.DictReader(d_text)
d_first_row = next(d_reader)
# %%
d_out = io.StringIO()
d_writer = csv.writer(d_out)
d_writer.writerow(['name', 'double'])
d_writer.writerow([d_first_row['name'], 2 * int(d_first_row['score'])])
# %% check
for d_row in d_reader:
    d_writer.writerow([d_row['name'], 2 * int(d_row['score'])])
assert d_out.getvalue().splitlines() == ['name,double', 'ann,6', 'bob,10', 'cleo,18']
assert d_reader.line_num == 4 and d_text.read() == ''
# %% case: d_std_sqlite_memory
import sqlite3
d_db = sqlite3.connect(':memory:')
d_db.execute('create table grades (pupil text primary key, mark real)')
d_db.executemany('insert into grades values (?, ?)', [('ann', 5.5), ('bob', 4.0)])
d_db.commit()
# %%
d_db.row_factory = sqlite3.Row
d_best = d_db.execute('select * from grades order by mark desc').fetchone()
# %%
d_db.execute("insert into grades values ('cleo', 6.0)")
d_db.commit()
# %% check
d_rows = d_db.execute('select pupil, mark from grades order by mark desc').fetchall()
assert [r['pupil'] for r in d_rows] == ['cleo', 'ann', 'bob']
assert d_best['pupil'] == 'ann'
try:
    d_db.execute("insert into grades values ('bob', 1)")
    d_dup = False
except sqlite3.IntegrityError:
    d_dup = True
assert d_dup
# %% case: d_std_queue_and_lock
import queue, threading
d_jobs = queue.PriorityQueue()
d_mutex = threading.Lock()
d_done = threading.Event()
d_sem = threading.BoundedSemaphore(2)
d_results = []
def d_worker():
    while True:
        try:
            priority, name = d_jobs.get_nowait()
        except queue.Empty:
            break
        with d_mutex:
            d_results.append(name)
        d_jobs.task_done()
    d_done.set()
# %%
for d_job in [(3, 'sweep'), (1, 'wake'), (2, 'eat')]:
    d_jobs.put(d_job)
d_sem.acquire()
# %%
d_thread = threading.Thread(target=d_worker)
d_thread.start()
d_thread.join()
d_jobs.put((5, 'sleep'))
# %% check
assert d_results == ['wake', 'eat', 'sweep'] and d_done.is_set() and not d_thread.is_alive()
d_worker()
assert d_results[-1] == 'sleep' and d_jobs.empty() and not d_mutex.locked()
assert d_sem.acquire(blocking=False) and not d_sem.acquire(blocking=False)
