import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_imports_go_one_way():
    result = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_worlds_do_not_load_zarr_or_hydra():
    code = "import sys, envs.moving_objects; sys.exit(any(name in sys.modules for name in ('zarr', 'hydra', 'runs')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_importing_envs_loads_neither_torch_nor_a_world():
    code = "import sys, envs; sys.exit(any(name in sys.modules for name in ('torch', 'envs.base', 'envs.counting')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
