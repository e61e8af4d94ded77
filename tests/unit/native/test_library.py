import multiprocessing
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import torch

from pmind.models.settings import STOCK
from pmind.native import library
from pmind.native.column import pack, supports
from tests.groups import SHAPES
from tests.reference import decode_recorded
from tests.tiny import decoder_of, wired_model

STUB = 'extern "C" { void pmind_pack() {} void pmind_linear() {} void pmind_column() {} }'


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """No library loaded yet, none in the cache, and a source that compiles in no time; gives the cache folder."""
    source = tmp_path / "kernel.cpp"
    source.write_text(STUB, encoding="utf-8")
    monkeypatch.setattr(library, "SOURCE", source)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library.load.cache_clear()
    yield tmp_path / "cache" / "pmind"
    library.load.cache_clear()


def without_compiler(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)


def broken_compiler(monkeypatch):
    monkeypatch.setattr(library, "FLAGS", ["--no-such-flag"])


def cache_in_a_file(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(library.SOURCE))


@pytest.mark.parametrize(
    ("trouble", "warning"),
    [
        (without_compiler, "no C++ compiler found"),
        (broken_compiler, "--no-such-flag"),
        (cache_in_a_file, "Not a directory"),
    ],
)
def test_decoding_goes_on_without_the_library_and_says_so_once(fresh, trouble, warning, monkeypatch, caplog):
    if trouble is not without_compiler and not shutil.which("g++"):
        pytest.skip("no C++ compiler here")
    expected = decode_recorded(wired_model(), STOCK, [SHAPES["ordinary"].request])
    trouble(monkeypatch)
    model = wired_model(compiled=True)
    assert library.load() is None
    assert not supports(model)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert warning in caplog.text
    decoded = decode_recorded(model, STOCK, [SHAPES["ordinary"].request])
    assert all(decoded[0][number][0] == tokens for number, (tokens, _) in expected[0].items())


def test_it_can_be_switched_off(fresh, monkeypatch, caplog):
    monkeypatch.setenv(library.SWITCH, "0")
    assert library.load() is None
    assert not supports(pack(wired_model()))
    assert decoder_of(compiled=True).generate("w1 w2", ["w3"], max_new_tokens=2)
    assert not caplog.records  # as asked for
    assert not fresh.exists()


@pytest.mark.usefixtures("needs_compiler")
class TestBuilding:
    def test_once(self, fresh, monkeypatch):
        assert library.load() is not None
        assert library.cache_folder() == fresh
        [built] = fresh.iterdir()  # the compiler's own files are gone
        made = built.stat().st_mtime_ns
        library.load.cache_clear()
        assert library.load() is not None
        assert built.stat().st_mtime_ns == made

    def test_anew_for_another_source_processor_or_flags(self, fresh, monkeypatch):
        changes = (
            lambda: library.SOURCE.write_text(STUB + "\n", encoding="utf-8"),
            lambda: monkeypatch.setattr(library, "_processor", lambda: "another"),
            lambda: monkeypatch.setattr(library, "FLAGS", [*library.FLAGS, "-DANOTHER"]),
        )
        library._built(shutil.which("g++"))
        for built, change in enumerate(changes, start=2):
            change()
            library._built(shutil.which("g++"))
            assert len(list(fresh.iterdir())) == built

    def test_in_two_processes_at_once(self, fresh):
        with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
            paths = set(pool.map(library._built, [shutil.which("g++")] * 4))
        assert set(fresh.iterdir()) == paths
        assert len(paths) == 1
        assert library.load() is not None

    def test_beside_an_openmp_runtime_in_a_folder_with_a_space(self, fresh, monkeypatch, tmp_path):
        maps = tmp_path / "maps"
        maps.write_text("7f00-7f01 r-xp 00000000 fe:00 1234      /my env/libgomp-a.so.1\n7f02-7f03 rw-p 0 0:0 0\n")
        monkeypatch.setattr(library, "MAPS", maps)
        assert library._openmp_runtime()[1:] == ["/my env/libgomp-a.so.1"]

    def test_with_torchs_openmp_runtime_though_another_package_brings_one(self, fresh, monkeypatch, tmp_path):
        packages = Path(torch.__file__).parent.parent
        others, own = f"{packages}/scikit_learn.libs/libgomp-e9.so.1", f"{packages}/torch/lib/libgomp.so.1"
        maps = tmp_path / "maps"
        maps.write_text("".join(f"7f00-7f01 r-xp 00000000 fe:00 1234 {path}\n" for path in (others, own)))
        monkeypatch.setattr(library, "MAPS", maps)
        assert library._openmp_runtime()[1:] == [own]


@pytest.mark.usefixtures("needs_compiler")
def test_one_openmp_runtime_in_the_process():
    """Torch's: a second one would put as many threads again on the same cores.

    In a process of its own, as other tests load packages that bring another one.
    """
    program = (
        "from pmind.native import library; library.load();"
        "print(len({line.split(maxsplit=5)[-1] for line in library.MAPS.read_text().splitlines() if 'gomp' in line}))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "1"
