# %% [markdown]
# # A sweep and its report
#
# Several rules, several seeds, one table with intervals. On a command line it is one line:
# `python -m learners.online -m learner=dgl,bp seed=0,1 run.group=rules`.

# %%
import os
import tempfile

os.chdir(tempfile.mkdtemp())  # what is written here is thrown away

# %%
import subprocess
import sys

import learners
import runs

few = {"eval.train": 400, "eval.validation": 200, "eval.test": 400, "eval.transfer": [], "eval.ends": []}
for learner in ["dgl", "bp"]:
    for seed in [0, 1]:
        named = {"learner": learner, "seed": seed, "run.group": "rules", "run.name": f"{learner}-{seed}"}
        learners.train(named | few | {"run.frames": 2048, "eval.every": 1024, "eval.probes": ["linear"]})

# %% [markdown]
# ## Beside one another
# Every seed, the gain over the random encoder (paired within a run) and the difference from `bp` (paired by seed).

# %%
print(subprocess.run([sys.executable, "-m", "runs.compare", "results/rules"], capture_output=True, text=True).stdout)

# %% [markdown]
# `python -m runs.report results/rules` makes one page that opens without a network.
#
# ## As a table of your own

# %%
scores = runs.open_all("results/rules/*").query("probe == 'linear' and encoder == 'encoder'")
curves = scores.pivot_table(index="frames", columns="learner", values="value")
axes = curves.plot(marker="o", ylabel="linear probe, share right")

# %% [markdown]
# ## Going on
# A run that was stopped, or is to be longer, goes on exactly where it was.

# %%
longer = learners.train({"run.resume": "results/rules/dgl-0", "run.frames": 4096})
longer.run["eval/linear"]
