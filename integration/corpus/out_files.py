# Open files, temporary directories and files, csv/json/zip/sqlite in the working directory, file positions and half-read readers.
# %% case: fil_read_position_kept
open("fil_lines.txt", "w").write("".join(f"line {i}\n" for i in range(10)))
fil_f = open("fil_lines.txt")
fil_a = [fil_f.readline(), fil_f.readline()]
# %%
fil_pos = fil_f.tell(); fil_alias = {"src": fil_f}
# %% check
assert fil_alias["src"] is fil_f and fil_f.tell() == fil_pos == 14 and not fil_f.closed and fil_f.mode == "r"
assert fil_f.readline() == "line 2\n" and fil_alias["src"].readline() == "line 3\n" and fil_a[1] == "line 1\n"
fil_f.close(); assert fil_alias["src"].closed
# %% case: fil_append_unflushed
fil_w = open("fil_out.txt", "w", newline="\r\n", encoding="latin-1")
fil_w.write("é one\n")
# %%
fil_w.write("two\n")
# %% check
fil_w.write("three\n"); fil_w.close()
assert open("fil_out.txt", "rb").read() == "é one\r\ntwo\r\nthree\r\n".encode("latin-1") and fil_w.encoding == "latin-1"
# %% case: fil_binary_update_and_seek
import mmap, os
open("fil_bin.dat", "wb").write(bytes(range(64)))
fil_rb = open("fil_bin.dat", "r+b"); fil_rb.seek(10)
fil_two = fil_rb.read(2)
# %%
fil_rb.write(b"XY"); fil_rb.flush()
# %% check
assert fil_two == bytes([10, 11]) and fil_rb.tell() == 14 and fil_rb.read(1) == bytes([14])
fil_rb.seek(12); assert fil_rb.read(2) == b"XY" and open("fil_bin.dat", "rb").read(14)[12:] == b"XY"
fil_rb.close()
# %% case: fil_csv_dialect_registered [alone]
import csv
csv.register_dialect("fil_pipes", delimiter="|", quotechar="'")
class FilTabs(csv.excel): delimiter = "\t"
csv.register_dialect("fil_tabs", FilTabs)
# %%
fil_rows = list(csv.reader(["1|'a|b'"], "fil_pipes"))
# %% check
import csv
assert fil_rows == [["1", "a|b"]] == list(csv.reader(["1|'a|b'"], "fil_pipes")) and {"fil_pipes", "fil_tabs"} <= set(csv.list_dialects())
assert next(csv.reader(["a\tb"], "fil_tabs")) == ["a", "b"] and csv.get_dialect("fil_pipes").quotechar == "'"
# %% case: fil_csv_writer_over_open_file [alone] [pinned]
import csv
fil_cf = open("fil_t.csv", "w", newline=""); fil_cw = csv.DictWriter(fil_cf, ["a", "b"], quoting=csv.QUOTE_ALL); fil_cw.writeheader()
fil_cw.writerow({"a": 1, "b": "x,y"})
# %%
fil_cw.writerow({"a": 5})
# %% check
fil_cw.writerow({"a": 2, "b": None}); fil_cf.close()
assert open("fil_t.csv", newline="").read() == '"a","b"\r\n"1","x,y"\r\n"5",""\r\n"2",""\r\n'
# %% case: fil_stringio_bytesio_positions
import io
fil_sio = io.StringIO("alpha\nbeta\ngamma\n"); next(fil_sio)
fil_bio = io.BytesIO(b"0123456789"); fil_bio.seek(4); fil_tw = io.TextIOWrapper(io.BytesIO("ü\nb\n".encode()), encoding="utf-8"); next(fil_tw)
# %%
fil_bio.write(b"XX"); fil_sio_lines = fil_sio
# %% check
assert fil_sio_lines is fil_sio and fil_sio.readline() == "beta\n" and fil_bio.tell() == 6 and fil_bio.read() == b"6789"
assert fil_bio.getvalue() == b"0123XX6789" and fil_tw.readline() == "b\n"
# %% case: fil_tempdir_in_cwd
import tempfile, os, pathlib
fil_td = tempfile.TemporaryDirectory(dir=".", prefix="fil_td_")
fil_p = pathlib.Path(fil_td.name) / "x.txt"; fil_p.write_text("in temp")
# %%
(fil_p.parent / "sub").mkdir(); fil_sub = fil_p.with_name("sub") / "y.txt"; fil_sub.write_text("deep")
# %% check
import os
assert fil_p.read_text() == "in temp" and fil_sub.exists() and os.path.isdir(fil_td.name)
fil_td.cleanup(); assert not os.path.exists(fil_td.name) and not fil_sub.exists()
# %% case: fil_named_tempfile_and_spooled [local] [pinned]
import tempfile, os
fil_nt = tempfile.NamedTemporaryFile("w+", suffix=".txt", delete=False); fil_nt.write("abc"); fil_nt.flush(); fil_nt.seek(1)
fil_spool = tempfile.SpooledTemporaryFile(max_size=100, mode="w+b"); fil_spool.write(b"small"); fil_spool.seek(2)
# %%
fil_nm = fil_nt.name
# %% check
import os
assert fil_nt.read() == "bc" and fil_nt.name == fil_nm and os.path.exists(fil_nm)
assert fil_spool.read() == b"all"
fil_nt.close(); os.unlink(fil_nm)
# %% case: fil_tempfile_gettempdir_changed [alone]
import tempfile, os
os.makedirs("fil_tmproot", exist_ok=True)
tempfile.tempdir = os.path.abspath("fil_tmproot")
fil_made = tempfile.mkdtemp(prefix="run_")
# %%
open(os.path.join(fil_made, "a"), "w").close()
# %% check
import tempfile, os
assert tempfile.gettempdir() == os.path.abspath("fil_tmproot") and os.listdir(fil_made) == ["a"]
assert os.path.dirname(tempfile.mktemp()) == os.path.abspath("fil_tmproot") == os.path.dirname(fil_made)
# %% case: fil_zip_and_tar_handles
import zipfile, io, tarfile
fil_zb = io.BytesIO()
with zipfile.ZipFile(fil_zb, "w", zipfile.ZIP_DEFLATED) as z: z.writestr("a.txt", "A" * 1000); z.writestr("d/b.txt", "bee")
fil_z = zipfile.ZipFile(fil_zb); fil_info = fil_z.getinfo("d/b.txt")
# %%
fil_names = fil_z.namelist(); fil_zip_path = zipfile.Path(fil_z, "d/")
# %% check
import zipfile
assert fil_z.read("d/b.txt") == b"bee" and fil_z.getinfo("d/b.txt") is fil_info and fil_names == ["a.txt", "d/b.txt"]
assert fil_z.read(fil_info) == b"bee" and [p.name for p in fil_zip_path.iterdir()] == ["b.txt"] and fil_z.fp is fil_zb
# %% case: fil_sqlite_file_reopened
import sqlite3, contextlib, os
with contextlib.closing(sqlite3.connect("fil_db.sqlite")) as fil_tmpc, fil_tmpc:
    fil_tmpc.execute("drop table if exists t"); fil_tmpc.execute("create table t (k text primary key, v real)")
    fil_tmpc.executemany("insert into t values (?, ?)", [("a", 1.5), ("b", 2.5)])
del fil_tmpc
# %%
import pandas as pd
with contextlib.closing(sqlite3.connect("fil_db.sqlite")) as c: fil_frame = pd.read_sql("select * from t order by k", c, index_col="k")
del c
# %% check
import sqlite3, contextlib
assert fil_frame.loc["b", "v"] == 2.5 and fil_frame.index.name == "k"
with contextlib.closing(sqlite3.connect("fil_db.sqlite")) as con: assert con.execute("select sum(v) from t").fetchone() == (4.0,)
# %% case: fil_sqlite_memory_connection [alone] [pinned]
import sqlite3
fil_con = sqlite3.connect(":memory:"); fil_con.row_factory = sqlite3.Row
fil_con.create_function("twice", 1, lambda x: 2 * x)
fil_con.execute("create table t (n int)")
# %%
fil_con.execute("insert into t values (21)"); fil_in_tx = fil_con.in_transaction
# %% check
assert fil_in_tx and fil_con.in_transaction and fil_con.execute("select twice(n) as d from t").fetchone()["d"] == 42
fil_con.rollback(); assert fil_con.execute("select count(*) from t").fetchone()[0] == 0
fil_con.close()
# %% case: fil_json_checkpoint_and_paths
import json, pathlib
fil_dir = pathlib.Path("fil_ckpt"); fil_dir.mkdir(exist_ok=True)
fil_state = {"epoch": 1, "path": fil_dir / "s.json"}
fil_state["path"].write_text(json.dumps({"epoch": fil_state["epoch"]}))
# %%
fil_state["epoch"] += 1
fil_glob = sorted(fil_dir.glob("*.json")); fil_purewin = pathlib.PureWindowsPath(r"C:\a\b.txt")
# %% check
import json, pathlib
assert json.loads(fil_glob[0].read_text())["epoch"] == 1 and fil_state["epoch"] == 2 and fil_glob == [fil_state["path"]]
assert fil_purewin.parts == ("C:\\", "a", "b.txt") and type(fil_dir) is type(pathlib.Path()) and fil_dir.is_dir()
# %% case: fil_fileinput_and_linecache [alone]
import linecache, fileinput
open("fil_src.py", "w").write("x = 1\ny = 2\n")
fil_l2 = linecache.getline("fil_src.py", 2)
open("fil_src.py", "w").write("changed = 1\nchanged = 2\n")
# %%
fil_fi = fileinput.input(files=["fil_src.py"]); fil_first = next(fil_fi)
# %% check
import linecache
assert fil_l2 == "y = 2\n" == linecache.getline("fil_src.py", 2), "linecache still holds the old text"
assert fil_first == "changed = 1\n" and fil_fi.lineno() == 1 and next(fil_fi) == "changed = 2\n" and fil_fi.filename() == "fil_src.py"
fil_fi.close()
# %% case: fil_stdout_redirect_left_open [alone]
import contextlib, io, sys
fil_cap = io.StringIO(); fil_red = contextlib.redirect_stderr(fil_cap); fil_red.__enter__()
print("hidden", file=sys.stderr)
# %%
fil_before = fil_cap.getvalue()
# %% check
import sys
assert fil_before == "hidden\n" and sys.stderr is fil_cap
print("more", file=sys.stderr); assert fil_cap.getvalue() == "hidden\nmore\n"
fil_red.__exit__(None, None, None); assert sys.stderr is not fil_cap and hasattr(sys.stderr, "write")
# %% case: fil_exitstack_left_open
import contextlib
fil_log = []
@contextlib.contextmanager
def fil_section(n):
    fil_log.append("in " + n)
    try: yield n
    finally: fil_log.append("out " + n)
with fil_section("whole"): pass
fil_stack = contextlib.ExitStack(); fil_stack.callback(fil_log.append, "callback"); fil_handle = fil_stack.enter_context(open("fil_es.txt", "w"))
# %%
fil_stack.push(lambda *exc: fil_log.append(exc[0])); fil_handle.write("data")
# %% check
assert fil_log == ["in whole", "out whole"] and not fil_handle.closed
fil_stack.close(); assert fil_log[2:] == [None, "callback"] and fil_handle.closed and open("fil_es.txt").read() == "data"
# %% case: fil_text_half_iterated_and_newlines
open("fil_it.txt", "w", newline="", encoding="utf-8").write("\u00e41\r\nb2\r\nc3\n")
fil_i1 = open("fil_it.txt", encoding="utf-8"); fil_n1 = next(fil_i1)
fil_i2 = open("fil_it.txt", newline="", encoding="utf-8"); fil_n2 = next(fil_i2)
fil_i3 = open("fil_it.txt", "r+", encoding="utf-8"); next(fil_i3)
fil_i4 = open("fil_it16.txt", "w+", encoding="utf-16"); fil_i4.write("eins\nzwei\ndrei\n"); fil_i4.seek(0); next(fil_i4)
# %%
fil_is = [fil_i1, fil_i2, fil_i3, fil_i4]
# %% check
assert fil_n1 == "\u00e41\n" and fil_n2 == "\u00e41\r\n" and [next(f) for f in fil_is] == ["b2\n", "b2\r\n", "b2\n", "zwei\n"]
assert [list(f) for f in fil_is] == [["c3\n"], ["c3\n"], ["c3\n"], ["drei\n"]] and fil_is[0] is fil_i1
