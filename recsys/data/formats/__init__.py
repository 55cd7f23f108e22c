"""Ways in which files hold a log: one file each."""

from recsys.data.formats.chunk import Chunk, Format, Piece
from recsys.data.formats.delimited import Delimited
from recsys.data.formats.jsonl import JSONLines
from recsys.data.formats.parquet import Parquet
from recsys.data.formats.tfds import TFDS

__all__ = ["TFDS", "Chunk", "Delimited", "Format", "JSONLines", "Parquet", "Piece"]
