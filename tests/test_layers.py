"""The architecture as a test: layers import only what stands before them, and files stay small."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Low to high; the names of one line are siblings, which do not import each other.
ORDER = """
typing client durable
registry spec pytree
features
data
index
release
tables
vectors
embedding
towers losses metrics
models
parallel
optim
checkpoint
training
retrieval
explicit
export
report
cli
""".strip().splitlines()
RANK = {layer: rank for rank, line in enumerate(ORDER) for layer in line.split()}
SERVER_MAY_IMPORT = {"typing", "features", "release", "index"}
NAMES_THAT_SAY_NOTHING = {"utils", "common", "helpers", "misc"}
MOST_LINES = 300


def python_files(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def imports(source: str, package: str) -> Iterator[str]:
    """Every module that the source imports, by absolute name; `package` is where it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(parents if node.level else []), *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def violations(path: str, source: str) -> list[str]:
    """What a file, named by its path from the root, imports against the order."""
    package = ".".join(Path(path).parent.parts)
    top, layer = Path(path).parts[0], Path(path).with_suffix("").parts[1]
    wrong = []
    for module in imports(source, package):
        target, _, rest = module.partition(".")
        other = rest.partition(".")[0]
        if target == "experiments":
            wrong.append(f"{path} imports {module}: nothing imports experiments.")
        elif top == "recsys" and target == "serving":
            wrong.append(f"{path} imports {module}: the library does not know its server.")
        elif target != "recsys":
            continue
        elif top == "serving" and other not in SERVER_MAY_IMPORT:
            wrong.append(f"{path} imports {module}: a server has {sorted(SERVER_MAY_IMPORT)} only.")
        elif top == "recsys" and other not in RANK:
            wrong.append(f"{path} imports {module}: import from a layer, one of {list(RANK)}.")
        elif top == "recsys" and other != layer and RANK[other] >= RANK[layer]:
            wrong.append(f"{path} imports {module}: {other} does not stand before {layer}.")
    return wrong


def test_a_layer_imports_only_layers_before_it():
    entrances = {ROOT / "recsys" / name for name in ("__init__.py", "__main__.py")}
    library = [path for path in python_files("recsys") if path not in entrances]
    wrong = [
        line
        for path in library + python_files("serving")
        for line in violations(str(path.relative_to(ROOT)), path.read_text())
    ]
    assert library
    assert not wrong, "\n".join(wrong)


def test_every_part_of_the_library_has_a_place_in_the_order():
    parts = {path.relative_to(ROOT).with_suffix("").parts[1] for path in python_files("recsys")}
    unplaced = parts - set(RANK) - {"__init__", "__main__"}
    assert not unplaced, f"Give {sorted(unplaced)} a place in ORDER."


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("recsys/features/schema.py", "from recsys.tables import Hash"),
        ("recsys/features/schema.py", "from ..tables import Hash"),
        ("recsys/features/schema.py", "from .. import tables"),
        ("recsys/features/schema.py", "def late():\n    import recsys.tables.hash"),
        ("recsys/towers/mlp.py", "from recsys.losses.logloss import LogLoss"),
        ("recsys/models/dcn.py", "from recsys import DCN"),
        ("recsys/models/dcn.py", "import experiments.quickstart"),
        ("recsys/models/dcn.py", "import serving"),
        ("serving/app.py", "from recsys.tables import Hash"),
        ("serving/app.py", "import experiments"),
    ],
)
def test_an_import_against_the_order_is_found(path: str, source: str):
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("recsys/tables/hash.py", "from recsys.features.hashing import row"),
        ("recsys/tables/hash.py", "from recsys.tables.base import EmbeddingTable"),
        ("recsys/tables/frozen/dense.py", "from ..base import EmbeddingTable"),
        ("recsys/tables/hash.py", "import jax\nfrom flax import nnx"),
        ("serving/app.py", "from recsys.index import Exact\nfrom serving.batcher import Batcher"),
    ],
)
def test_an_import_along_the_order_passes(path: str, source: str):
    assert violations(path, source) == []


def test_a_file_is_one_idea():
    files = [*python_files("recsys", "serving", "experiments", "tests"), *ROOT.glob("*.py")]
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    long = {path: count for path, count in lines.items() if count > MOST_LINES}
    assert not long, f"Split these files, which have more than {MOST_LINES} lines: {long}"


def test_a_name_says_what_the_file_holds():
    files = [*python_files("recsys", "serving", "experiments", "tests"), *ROOT.glob("*.py")]
    parts = {path: path.relative_to(ROOT).with_suffix("").parts for path in files}
    empty = [str(path) for path, names in parts.items() if NAMES_THAT_SAY_NOTHING & set(names)]
    assert not empty, f"Name these files after what they hold: {empty}"
