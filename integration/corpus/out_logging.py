# Logging configured in many forms: handlers, filters, adapters, dictConfig, custom levels, factories, propagation.
# %% case: log_basicconfig_file [alone]
import logging, pathlib
pathlib.Path("log_app.txt").unlink(missing_ok=True)
logging.basicConfig(filename="log_app.txt", level=logging.INFO, format="%(levelname)s|%(name)s|%(message)s", force=True)
logging.info("start")
# %%
log_l = logging.getLogger("pipeline.stage1")
log_l.warning("rows=%d", 3); log_l.debug("hidden")
# %% check
import logging
logging.getLogger("pipeline").error("end")
assert open("log_app.txt").read().splitlines() == ["INFO|root|start", "WARNING|pipeline.stage1|rows=3", "ERROR|pipeline|end"]
assert log_l is logging.getLogger("pipeline.stage1") and logging.root.level == 20
assert len(logging.root.handlers) == 1 and type(logging.root.handlers[0]) is logging.FileHandler
assert log_l.getEffectiveLevel() == 20
# %% case: log_list_handler_and_filter
import logging
class LogKeep(logging.Handler):
    def __init__(self): super().__init__(); self.rows = []
    def emit(self, r): self.rows.append(self.format(r))
class LogOnly(logging.Filter):
    def filter(self, r): return "secret" not in r.getMessage()
log_keep = LogKeep(); log_keep.setFormatter(logging.Formatter("{levelname:.1s}:{message}", style="{"))
log_lg = logging.getLogger("log_case.keep"); log_lg.propagate = False; log_lg.setLevel("DEBUG")
log_lg.addHandler(log_keep); log_lg.addFilter(LogOnly())
# %%
log_lg.debug("one"); log_lg.error("secret two")
log_rows = log_keep.rows
# %% check
import logging
assert logging.getLogger("log_case.keep") is log_lg and log_lg.handlers == [log_keep] and log_lg.handlers[0] is log_keep
assert log_rows is log_keep.rows and log_rows == ["D:one"]
log_lg.critical("three"); log_lg.info("a secret")
assert log_rows == ["D:one", "C:three"] and log_lg.propagate is False
assert type(log_lg.filters[0]) is LogOnly and log_lg.manager is logging.Logger.manager
# %% case: log_dictconfig_with_stringio [alone]
import logging, logging.config, io
log_buf = io.StringIO()
logging.config.dictConfig({"version": 1, "disable_existing_loggers": True,
  "formatters": {"f": {"format": "%(name)s %(message)s"}},
  "handlers": {"h": {"class": "logging.StreamHandler", "stream": log_buf, "formatter": "f"},
               "m": {"class": "logging.handlers.MemoryHandler", "capacity": 3, "target": "h", "flushLevel": 40}},
  "loggers": {"svc": {"handlers": ["m"], "level": "DEBUG", "propagate": False}}})
log_svc = logging.getLogger("svc")
# %%
log_svc.debug("a"); log_svc.info("b")
log_before = log_buf.getvalue()
# %% check
import logging
assert log_before == "" and log_buf.getvalue() == ""
log_svc.info("c")
assert log_buf.getvalue() == "svc a\nsvc b\nsvc c\n"
m = logging.getLogger("svc").handlers[0]
assert m.target.stream is log_buf and m.buffer == [] and m.capacity == 3
log_svc.debug("d"); log_svc.error("e")
assert log_buf.getvalue().endswith("svc d\nsvc e\n")
assert logging._handlers["h"] is m.target
# %% case: log_custom_level_and_logger_class [alone]
import logging
logging.addLevelName(25, "NOTICE")
class LogNotice(logging.Logger):
    def notice(self, msg, *a, **k):
        if self.isEnabledFor(25): self._log(25, msg, a, **k)
logging.setLoggerClass(LogNotice)
log_a = logging.getLogger("log_nl.a")
# %%
class LogMem(logging.Handler):
    store = []
    def emit(self, r): self.store.append((r.levelname, r.getMessage()))
logging.getLogger("log_nl").addHandler(LogMem())
log_a.setLevel(25); log_a.notice("x %s", 1)
# %% check
import logging
assert logging.getLoggerClass() is LogNotice and type(log_a) is LogNotice and logging.getLevelName("NOTICE") == 25
b = logging.getLogger("log_nl.late"); b.setLevel(1); b.notice("y")
assert type(b) is LogNotice and LogMem.store == [("NOTICE", "x 1"), ("NOTICE", "y")]
assert log_a.parent is logging.getLogger("log_nl") is b.parent
# %% case: log_record_factory_and_adapter [alone]
import logging
log_old_factory = logging.getLogRecordFactory()
log_serial = [0]
def log_factory(*a, **k):
    r = log_old_factory(*a, **k); log_serial[0] += r.name == "log_ad"; r.serial = log_serial[0]; return r
logging.setLogRecordFactory(log_factory)
log_ad = logging.LoggerAdapter(logging.getLogger("log_ad"), {"user": "ann"})
# %%
log_records = []
class LogGrab(logging.Handler):
    def emit(self, r): log_records.append(r)
log_ad.logger.addHandler(LogGrab()); log_ad.logger.propagate = False
log_ad.warning("w1", extra={"ignored": 1})
# %% check
import logging
assert logging.getLogRecordFactory() is log_factory and log_old_factory is logging.LogRecord
log_ad.extra["user"] = "bob"; log_ad.error("e1")
assert [(r.serial, r.user, r.msg) for r in log_records] == [(1, "ann", "w1"), (2, "bob", "e1")] and log_serial == [2]
assert log_ad.logger is logging.getLogger("log_ad")
# %% case: log_disable_capture_raise [alone]
import logging, warnings
logging.captureWarnings(True)
logging.disable(logging.INFO)
logging.raiseExceptions = False
log_caught = []
class LogW(logging.Handler):
    def emit(self, r): log_caught.append(r.getMessage().split(": ")[-1].split("\n")[0])
log_wh = LogW(); logging.getLogger("py.warnings").addHandler(log_wh)
# %%
warnings.simplefilter("always")
warnings.warn("via logging")
# %% check
import logging, warnings
assert logging.root.manager.disable == 20 and logging.raiseExceptions is False
assert not logging.getLogger("any").isEnabledFor(20) and logging.getLogger("any").isEnabledFor(30)
assert log_caught == ["via logging"]
warnings.warn("second")
assert log_caught == ["via logging", "second"]
logging.captureWarnings(False)
assert warnings.showwarning is not logging._showwarning
# %% case: log_rotating_handler_mid_file [alone]
import logging, logging.handlers, glob, os
for log_old in glob.glob("log_rot.txt*"): os.remove(log_old)
log_rot = logging.handlers.RotatingFileHandler("log_rot.txt", maxBytes=40, backupCount=2)
log_rl = logging.getLogger("log_rot"); log_rl.addHandler(log_rot); log_rl.propagate = False
log_rl.warning("0123456789"); log_rl.warning("abcdefghij")
# %%
log_rl.warning("ABCDEFGHIJ")
# %% check
import os
log_rl.warning("last.one.!")
assert open("log_rot.txt.1").read() == "0123456789\nabcdefghij\nABCDEFGHIJ\n" and open("log_rot.txt").read() == "last.one.!\n"
assert log_rl.handlers == [log_rot] and not os.path.exists("log_rot.txt.2")
log_rot.close()
# %% case: log_queue_handler_and_lastresort [alone]
import logging, logging.handlers, queue
log_q = queue.Queue()
log_qh = logging.handlers.QueueHandler(log_q)
log_ql = logging.getLogger("log_q"); log_ql.addHandler(log_qh); log_ql.propagate = False
log_ql.error("queued %s", {"k": 1})
# %%
logging.lastResort = None
log_child = log_ql.getChild("kid"); log_child.error("second")
# %% check
import logging
assert logging.lastResort is None and log_qh.queue is log_q and log_q.qsize() == 2
r1, r2 = log_q.get_nowait(), log_q.get_nowait()
assert r1.getMessage() == "queued {'k': 1}" and r2.name == "log_q.kid" and log_child.parent is log_ql
log_child.error("third"); assert log_q.get_nowait().msg == "third"
assert log_child is logging.getLogger("log_q.kid") and log_ql.getChild("kid") is log_child
# %% case: log_remove_handler_twice [alone]
import logging
log_h1, log_h2 = logging.NullHandler(), logging.NullHandler()
log_rr = logging.getLogger(); log_n0 = len(log_rr.handlers)
log_rr.addHandler(log_h1); log_rr.addHandler(log_h2); log_rr.addHandler(log_h1)
log_h1.set_name("first")
# %%
log_rr.removeHandler(log_h2)
logging.getLogger("x.y.z").setLevel(5); logging.getLogger("x").setLevel(40)
# %% check
import logging
assert len(log_rr.handlers) == log_n0 + 1 and log_rr.handlers[-1] is log_h1 and logging._handlers["first"] is log_h1
assert log_rr is logging.root and logging.getLogger("x.y").getEffectiveLevel() == 40 and logging.getLogger("x.y.z").level == 5
assert logging.getLogger("x.y.z").parent is logging.getLogger("x.y") and logging.getLogger("x.y").parent is logging.getLogger("x")
