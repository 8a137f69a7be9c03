# Logging set up by the notebook: levels, handlers that variables hold, filters, files, own level names and loggers.

# %% case: log_string_stream [alone]
import io, logging
log_buffer = io.StringIO()
log_handler = logging.StreamHandler(log_buffer)
log_handler.setFormatter(logging.Formatter("%(levelname)s|%(name)s|%(message)s"))
log_own = logging.getLogger("nb.own")
log_own.addHandler(log_handler)
log_own.setLevel(logging.DEBUG)
log_own.propagate = False
# %%
log_own.debug("one")
# %%
logging.getLogger("nb.own.child").info("two")
# %% check
assert log_own.handlers == [log_handler] and log_handler.stream is log_buffer
assert log_own.handlers[0] is log_handler and not log_own.propagate
log_own.warning("three")
assert log_buffer.getvalue() == "DEBUG|nb.own|one\nINFO|nb.own.child|two\nWARNING|nb.own|three\n"

# %% case: log_root_basic_config [alone]
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
logging.info("hello")
# %%
logging.getLogger("noisy").setLevel(logging.ERROR)
logging.getLogger("quiet").disabled = True
# %% check
import logging, sys
root = logging.getLogger()
assert root.level == logging.INFO and len(root.handlers) == 1 and root.handlers[0].stream is sys.stdout
assert root.handlers[0].formatter._fmt == "%(message)s"
assert logging.getLogger("noisy").getEffectiveLevel() == logging.ERROR and logging.getLogger("quiet").disabled
assert not logging.getLogger("noisy").isEnabledFor(logging.WARNING)

# %% case: log_handler_removed_again [alone]
import logging
class LogCollect(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []
    def emit(self, record):
        self.lines.append(record.getMessage())
log_c1, log_c2 = LogCollect(), LogCollect()
logging.getLogger("lr").handlers = [log_c1, log_c2]
# %%
logging.getLogger("lr").error("both %s", 1)
# %%
logging.getLogger("lr").removeHandler(log_c1)
# %%
logging.getLogger("lr").error("only the second")
# %% check
import logging
assert log_c1.lines == ["both 1"] and log_c2.lines == ["both 1", "only the second"]
assert logging.getLogger("lr").handlers == [log_c2] and type(log_c2) is LogCollect

# %% case: log_file_handler_appends [alone]
import logging
log_fh = logging.FileHandler("log_run.txt", mode="w")
log_f = logging.getLogger("file"); log_f.addHandler(log_fh); log_f.setLevel(10); log_f.propagate = False
log_f.info("first")
# %%
log_f.info("second")
# %% check
log_f.info("third")
assert open("log_run.txt").read().split() == ["first", "second", "third"]
assert log_f.handlers == [log_fh] and log_fh.mode == "w"

# %% case: log_filter_and_level_names [alone]
import logging
logging.addLevelName(25, "NOTICE")
log_dropped = []
class LogFilter(logging.Filter):
    def filter(self, record):
        if "secret" in record.getMessage():
            log_dropped.append(record.levelname)
            return False
        return True
log_flt = LogFilter()
logging.getLogger("flt").addFilter(log_flt); logging.getLogger("flt").setLevel(5)
# %%
logging.getLogger("flt").log(25, "secret")
# %% check
import logging
assert logging.getLevelName(25) == "NOTICE" and logging.getLevelName("NOTICE") == 25
logging.getLogger("flt").error("a secret too")
assert log_dropped == ["NOTICE", "ERROR"] and logging.getLogger("flt").filters[0] is log_flt

# %% case: log_dict_config [alone]
import logging.config
logging.config.dictConfig({
    "version": 1, "disable_existing_loggers": False,
    "formatters": {"f": {"format": "%(name)s:%(message)s"}},
    "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f", "level": "WARNING", "stream": "ext://sys.stderr"}},
    "loggers": {"cfg": {"handlers": ["h"], "level": "DEBUG", "propagate": False}},
})
# %% check
import logging
made = logging.getLogger("cfg")
assert made.level == 10 and not made.propagate and len(made.handlers) == 1
assert made.handlers[0].level == 30 and made.handlers[0].formatter._fmt == "%(name)s:%(message)s" and made.handlers[0].get_name() == "h"

# %% case: log_capture_warnings_and_disable [alone]
import logging, warnings
logging.captureWarnings(True)
log_w = []
class LogW(logging.Handler):
    def emit(self, record): log_w.append(record.getMessage().split(":")[-2 if "warn(" in record.getMessage() else -1].strip())
logging.getLogger("py.warnings").addHandler(LogW())
logging.disable(logging.INFO)
# %%
warnings.warn("to the log", UserWarning)
# %% check
import logging, warnings
assert len(log_w) == 1 and logging.root.manager.disable == logging.INFO
warnings.warn("again", FutureWarning)
assert len(log_w) == 2
logging.captureWarnings(False)
warnings.simplefilter("ignore"); warnings.warn("not there")
assert len(log_w) == 2

# %% case: log_memory_and_adapter [alone]
import logging, logging.handlers
class LogSink(logging.Handler):
    seen = []
    def emit(self, record): self.seen.append((record.msg, getattr(record, "run", None)))
log_sink = LogSink()
log_mem = logging.handlers.MemoryHandler(10, flushLevel=logging.ERROR, target=log_sink)
log_m = logging.getLogger("mem"); log_m.addHandler(log_mem); log_m.setLevel(10)
log_ad = logging.LoggerAdapter(log_m, {"run": 7})
log_ad.info("kept")
# %%
log_ad.warning("kept too")
# %% check
assert log_mem.target is log_sink and len(log_mem.buffer) == 2 and LogSink.seen == []
log_ad.error("now")
assert LogSink.seen == [("kept", 7), ("kept too", 7), ("now", 7)] and log_ad.logger is log_m
