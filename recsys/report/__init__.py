"""Reports: what a run came to, as a page, and what is inside its model."""

from recsys.report.inspect import Inspection, inspect, tables_of
from recsys.report.report import write_report

__all__ = ["Inspection", "inspect", "tables_of", "write_report"]
