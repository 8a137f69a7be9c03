# Packages of several files that the notebook wrote beside it: each module exists once.
# %% case: pkb_module_of_a_package_is_one [alone]
from pathlib import Path
Path("pkb_tools").mkdir(exist_ok=True)
Path("pkb_tools/__init__.py").write_text("from .core import Thing\n")
Path("pkb_tools/core.py").write_text("VALUE = 1\nclass Thing:\n    size = 1\n")
import pkb_tools, pkb_tools.core
pkb_thing = pkb_tools.Thing()
# %%
pkb_tools.core.VALUE = 2
# %% check
import sys, importlib
from pkb_tools.core import VALUE, Thing
assert sys.modules["pkb_tools"] is pkb_tools and sys.modules["pkb_tools.core"] is pkb_tools.core
assert importlib.import_module("pkb_tools.core") is pkb_tools.core and VALUE == 2
assert Thing is pkb_tools.Thing is pkb_tools.core.Thing and type(pkb_thing) is Thing and pkb_thing.size == 1
# %% case: pkb_package_below_the_directory [alone]
import os, sys
from pathlib import Path
Path("pkb_project/pkb_lib").mkdir(exist_ok=True, parents=True)
Path("pkb_project/pkb_lib/__init__.py").write_text("from .core import Thing\n")
Path("pkb_project/pkb_lib/core.py").write_text("from . import parts\nclass Thing:\n    part = parts.Part()\n")
Path("pkb_project/pkb_lib/parts.py").write_text("class Part:\n    pass\n")
os.chdir("pkb_project"); sys.path.insert(0, os.getcwd())
import pkb_lib, pkb_lib.core
# %%
pkb_part = pkb_lib.Thing.part
# %% check
import sys
from pkb_lib.parts import Part
assert sys.modules["pkb_lib.core"] is pkb_lib.core and sys.modules["pkb_lib.parts"] is pkb_lib.core.parts is pkb_lib.parts
assert pkb_lib.core.Thing is pkb_lib.Thing and type(pkb_part) is Part and pkb_lib.Thing.part is pkb_part
# %% case: pkb_package_with_state [alone]
import os, sys
from pathlib import Path
Path("pkb_work/pkb_store").mkdir(exist_ok=True, parents=True)
Path("pkb_work/pkb_store/__init__.py").write_text("from .core import Thing, add\nfrom .core import kept\n")
Path("pkb_work/pkb_store/core.py").write_text("kept = []\nclass Thing:\n    pass\ndef add(it):\n    kept.append(it)\n    return it\n")
os.chdir("pkb_work"); sys.path.insert(0, os.getcwd())
import pkb_store, pkb_store.core
pkb_first = pkb_store.add(pkb_store.Thing())
# %%
from pkb_store import add as pkb_add
pkb_second = pkb_add(pkb_store.Thing())
# %% check
import sys
assert sys.modules["pkb_store.core"] is pkb_store.core and pkb_store.kept is pkb_store.core.kept
assert len(pkb_store.kept) == 2 and pkb_store.kept[0] is pkb_first and pkb_store.kept[1] is pkb_second
assert type(pkb_first) is type(pkb_second) is pkb_store.Thing and pkb_add is pkb_store.core.add
pkb_add(3); assert pkb_store.kept[-1] == 3
