"""`recsys data describe`: what files hold, and the schema that they suggest."""

import dataclasses
from pathlib import Path

from recsys.cli.names import Files, schema_path
from recsys.data.describe import describe


@dataclasses.dataclass(frozen=True)
class Describe:
    """Says what is in files, and writes the schema that they suggest, for you to edit."""

    files: Files  # CSV, TSV, JSONL, Parquet (.gz, .zst), or tfds:NAME
    label: str | None = None  # the column to predict, if its name does not say so
    out: Path | None = None  # of the schema; by default FILE.schema.toml
    overwrite: bool = False  # a schema that is there already

    def run(self) -> int:
        """Reads, prints, and writes the schema."""
        out = self.out or schema_path(self.files)
        if out.exists() and not self.overwrite:
            raise FileExistsError(
                f"{out} is there already, and somebody may have edited it: give --overwrite, or "
                "another file with --out."
            )
        description = describe(self.files, label=self.label)
        print(description)
        description.write(out)
        print(f"\nThe schema is in {out}: read it, and mend what is wrong.")
        print(f"Next: recsys data import {' '.join(self.files)}")
        return 0
